"""Students with additions to another one's weights: a small one to add to, and runs that are interrupted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from kdbench import Encoder, Modality, Offer, Progress, Student, StudentModule
from kdbench.records.files import read_arrays, record_path
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench.suite.spec import RunSpec
from kdbench_plugins.students import openclip, warm_start
from tests.support.toys import BEADS, Toy, plugged, run_context, run_spec

WIDTH, HIDDEN = 8, 16
# A transformer for each modality, as small as they get.
CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "head_width": 8, "layers": 1},
    "text_cfg": {"context_length": 10, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
WARM = {"use": "warm_start", "student": {"use": "openclip", "config": CONFIG}, "epochs": 2, "batch_size": 8, "lr": 0.004}


class Block(nn.Module):
    """Attention and an FFN under open_clip's names."""

    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
        self.mlp = nn.Sequential()
        self.mlp.c_fc, self.mlp.gelu, self.mlp.c_proj = nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        seen: Tensor = x + self.attn(x, x, x, need_weights=False)[0]
        out: Tensor = seen + self.mlp(seen)
        return out


class Towers(nn.Module):
    """A convolution and a batch norm for images, tokens for texts, each followed by a block of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, WIDTH, 3), nn.BatchNorm2d(WIDTH)
        self.words = nn.Embedding(4, WIDTH)
        self.image, self.text = Block(), Block()
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def encode_image(self, images: Tensor) -> Tensor:
        seen = self.norm(self.conv(images.permute(0, 3, 1, 2).float() / 255))
        return normalize(self.image(seen.flatten(2).transpose(1, 2)).mean(dim=1), dim=1)

    def encode_text(self, texts: Tensor) -> Tensor:
        places = torch.linspace(-1, 1, texts.shape[1], device=texts.device)[:, None]
        return normalize(self.text(self.words(texts) * places).mean(dim=1), dim=1)


class Corner:
    """The first pixels of images of any size."""

    modality: Modality = "image"
    base: Encoder | None = None
    key = "corner"

    def encode(self, items: Any, device: str) -> Tensor:
        return torch.stack([torch.tensor(item)[:BEADS, :BEADS] for item in items]).to(device)


class Letters:
    """The first letters of captions, as numbers from 0 to 3."""

    modality: Modality = "text"
    base: Encoder | None = None
    key = "letters"

    def encode(self, items: Any, device: str) -> Tensor:
        return torch.tensor([[ord(letter) % 4 for letter in item.ljust(BEADS)[:BEADS]] for item in items], device=device)


def blocked() -> Toy:
    """A student of two blocks."""
    student = Toy(Towers(), WIDTH)
    student.images, student.texts = Corner(), Letters()
    return student


BLOCKED: Offer[Student] = Offer("blocked", blocked)


def inputs(count: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(0, 256, (count, BEADS, BEADS, 3), generator=generator, dtype=torch.uint8)
    return images, torch.randint(0, 3, (count, BEADS), generator=generator)


@torch.no_grad()
def embedded(module: StudentModule, evaluate: bool = True) -> Tensor:
    """Embeddings of a few images and texts, [2, B, d]."""
    cast(nn.Module, module).train(not evaluate)
    images, texts = inputs()
    return torch.stack([module.encode_image(images), module.encode_text(texts)])


def moved(module: StudentModule, seed: int = 1) -> None:
    """Moves all that trains, as a training would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in cast(nn.Module, module).parameters():
            if parameter.requires_grad and parameter.dim():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


def adapted_run(
    use: str, offers: list[Offer[Student]], folder: Path, team: Sequence[str] = ("a",), **params: Any
) -> tuple[RunSpec, RunContext]:
    """A run of two epochs of a student around one of open_clip, by default one that was trained before."""
    students = [*offers, *openclip.kdbench_students(), *warm_start.kdbench_students()]
    spec = run_spec(
        student=plugged(use, **({"student": WARM} | params)),
        dataset=plugged("beads", train=24, test=24),
        train={"epochs": 2, "lr": 0.004},
        team=team,
    )
    return spec, run_context(folder, students=students)


def check_a_run(use: str, offers: list[Offer[Student]], folder: Path, **params: Any) -> None:
    """Interrupted and resumed, a run has the ranks of one that was not."""

    def stop(progress: Progress) -> None:
        if progress.stage == "train" and progress.done == 8:
            raise KeyboardInterrupt

    spec, context = adapted_run(use, offers, folder, **params)
    record = execute(spec, context)
    assert (record.status, record.reason) == ("ok", "")
    again = replace(context, results=folder / "again")  # what is trained before the run is in the cache
    try:
        execute(spec, replace(again, on_progress=stop))
    except KeyboardInterrupt:
        pass
    else:
        raise AssertionError("the run was not interrupted")
    execute(spec, again)
    arrays, resumed = (read_arrays(record_path(one.results, spec.suite, spec.run_id), one.plugins) for one in (context, again))
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, resumed[name])
