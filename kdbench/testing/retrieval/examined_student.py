"""A student under test, built several times, with a few inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn

from kdbench.contracts import Encoder, Modality, Student, StudentModule
from kdbench.testing.retrieval.examined_teacher import MODALITIES, encoded, items_of
from kdbench.testing.variants import Variants

cudnn: Any = torch.backends.cudnn
# Torch's global settings: how to read and how to restore each.
SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "default device": (
        torch.get_default_device,
        lambda device: torch.set_default_device(device if device.type != "cpu" else None),
    ),
    "threads": (torch.get_num_threads, torch.set_num_threads),
    "grad mode": (torch.is_grad_enabled, lambda enabled: torch.autograd.set_grad_enabled(enabled)),
    "deterministic algorithms": (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    "matmul precision": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    "cudnn.benchmark": (lambda: cudnn.benchmark, lambda value: setattr(cudnn, "benchmark", value)),
    "cudnn.deterministic": (lambda: cudnn.deterministic, lambda value: setattr(cudnn, "deterministic", value)),
    "cudnn.allow_tf32": (lambda: cudnn.allow_tf32, lambda value: setattr(cudnn, "allow_tf32", value)),
}


class ExaminedStudent:
    """Builds a student three times, twice from one seed, and encodes a few images and captions with its encoders."""

    def __init__(self, build: Callable[[], Student], variants: Variants | None = None) -> None:
        self._build = build
        self.variants = variants or Variants(build, {})
        self._initial: dict[int, dict[str, Tensor]] = {}
        self.changed: list[str] = []  # of torch's settings

    def built(self, seed: int) -> Student:
        torch.manual_seed(seed)
        with self.settings_kept():
            student = self._build()
        self._initial[id(student)] = state_of(student)
        return student

    def pair(self, build: Callable[[], Student]) -> dict[Modality, Encoder]:
        """The encoders of a variant."""
        with self.settings_kept():
            student = build()
        return {"image": student.images, "text": student.texts}

    @cached_property
    def first(self) -> Student:
        return self.built(3)

    @cached_property
    def again(self) -> Student:
        return self.built(3)

    @cached_property
    def other(self) -> Student:
        return self.built(4)

    def initial(self, student: Student) -> dict[str, Tensor]:
        """A student in the state in which it was built."""
        return self._initial[id(student)]

    @contextmanager
    def settings_kept(self) -> Iterator[None]:
        """Records which of torch's settings change within the context, and restores them for the following properties."""
        before = {name: read() for name, (read, _) in SETTINGS.items()}
        try:
            yield
        finally:
            for name, (read, write) in SETTINGS.items():
                if read() != before[name]:
                    self.changed.append(f"{name}: found {read()}, expected {before[name]}")
                    write(before[name])

    @cached_property
    def inputs(self) -> tuple[Tensor, Tensor]:
        """Inputs of the image and text towers, [B, ...]; outputs of bases are converted to float16 as on disk."""
        student = self.first
        readers = (student.images, student.texts)
        with self.settings_kept():
            read = [encoded(encoder, items_of(of)) for of, encoder in zip(MODALITIES, readers, strict=True)]
        image, text = (values.half().float() if values.is_floating_point() else values for values in read)
        return image, text

    def embed(self, module: StudentModule, rows: slice = slice(None), evaluate: bool = True) -> tuple[Tensor, Tensor]:
        images, texts = self.inputs
        cast(nn.Module, module).train(not evaluate)
        with self.settings_kept(), torch.set_grad_enabled(not evaluate):
            return module.encode_image(images[rows]), module.encode_text(texts[rows])


def state_of(student: Student) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in cast(nn.Module, student.module).state_dict().items()}
