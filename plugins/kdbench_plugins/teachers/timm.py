"""The teacher `timm`: any image model of timm, with published weights or a local file. It has no text tower."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from kdbench import Encoder, ImageCost, KdbenchError, Modality, NoTower, Offer, Teacher, TeacherData, Towers, hookimpl, nearest
from kdbench_plugins.checked_once import check_once
from kdbench_plugins.openclip import brief, import_timm, package_version, weight_files
from kdbench_plugins.shrink import FAMILIES
from kdbench_plugins.teachers.image_cost import measured
from kdbench_plugins.teachers.tower import settled

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
SCHEMAS = ("hf-hub:", "local-dir:")  # names that carry their own weights; timm resolves them


class Timm:
    """`model` is a name of timm, with a tag of its weights such as `vit_small_patch14_dinov2.lvd142m`; without one timm takes
    the first. `weights` is a file with the model's weights, read instead of downloaded ones.

    The teacher has image embeddings only: those before the classifier, normalised. Objectives that compare images with texts
    are refused; `relational_within` and `feature` work.
    """

    lacks: Modality = "text"

    def __init__(self, *, model: str, weights: Path | None = None) -> None:
        self.model = model
        self.weights = weights

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002 (it learns nothing from the dataset)
        tower = TimmTower(self.load(), self.model)
        return Towers(tower, NoTower("text"), 1.0)

    def image_cost(self) -> ImageCost:
        """Of a model without weights. Raises KdbenchError if timm cannot build it."""
        import torch

        check(model=self.model, weights=self.weights)
        timm = import_timm()
        try:
            with torch.device("meta"):
                network = timm.create_model(self.model, pretrained=False, num_classes=0)
        except Exception as error:  # timm raises many types
            raise KdbenchError(f"teacher timm: {self.model!r} could not be built ({brief(error)})") from error
        return measured(network.eval(), timm.data.resolve_model_data_config(network)["input_size"][1:])

    def load(self) -> Any:
        """The network without its classifier, in eval mode. Raises KdbenchError if its weights cannot be loaded."""
        check(model=self.model, weights=self.weights)
        overlay = {"pretrained_cfg_overlay": {"file": str(self.weights)}} if self.weights else {}
        try:
            with _complete():
                network = import_timm().create_model(self.model, pretrained=True, num_classes=0, **overlay)
            return settled(network, "cpu")
        except Exception as error:  # timm, torch, safetensors and the hub raise many types
            hint = (
                "expected a file with this model's weights"
                if self.weights
                else "without a network, set `weights` to a local file; with one, downloads are cached"
            )
            raise KdbenchError(
                f"teacher timm: the weights {self.weights or self.model} could not be loaded ({brief(error)}); {hint}"
            ) from error


@contextmanager
def _complete() -> Iterator[None]:
    """Raises ValueError if timm loads weights that leave parameters at random values, which it only logs."""
    missing: list[str] = []

    def note(record: logging.LogRecord) -> bool:
        if record.getMessage().startswith("Missing keys"):
            missing.append(record.getMessage())
        return record.levelno >= logging.WARNING  # what was enabled below is not shown

    log = logging.getLogger("timm.models._builder")
    level = log.level
    log.setLevel(logging.INFO)  # that of the message
    log.addFilter(note)
    try:
        yield
    finally:
        log.removeFilter(note)
        log.setLevel(level)
    if missing:
        raise ValueError(missing[0])


class TimmTower:
    """Encodes pictures, uint8 [H, W, 3], to unit vectors [B, d] with the model's own preprocessing for evaluation."""

    modality: Modality = "image"
    base: Encoder | None = None
    originals = True

    def __init__(self, network: Any, model: str) -> None:
        from kdbench import module_digest

        self.network = network
        self.config: dict[str, Any] = import_timm().data.resolve_model_data_config(network)
        self.side: int = max(self.config["input_size"][1:])
        parts = [FORMAT, model, module_digest(network), f"timm {package_version('timm')}", self.config]
        self.key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @cached_property
    def preprocess(self) -> Any:
        return import_timm().data.create_transform(**self.config, is_training=False)

    def encode(self, items: Any, device: str) -> Tensor:
        import numpy as np
        import torch
        from PIL import Image
        from torch.nn.functional import normalize

        pixels = torch.stack([self.preprocess(Image.fromarray(np.asarray(item))) for item in items]).to(device)
        with torch.no_grad():
            return normalize(settled(self.network, device)(pixels).float(), dim=-1)


def check(*, model: str, weights: Path | None = None) -> None:
    """Raises KdbenchError, with the nearest name, if timm does not know `model` or its tag, or if `weights` is no file."""
    if weights is not None and not weights.is_file():
        raise KdbenchError(f"teacher timm: weights {str(weights)!r}: found no such file; expected the model's weights")
    if not model.startswith(SCHEMAS):
        check_once(lambda: _check_names(model, weights is None), "teacher timm", model, weights is None)


def _check_names(model: str, published: bool) -> None:
    timm = import_timm()
    architecture, _, tag = model.partition(".")
    if not timm.is_model(architecture):
        raise KdbenchError(
            f"teacher timm: found no model {architecture!r} in timm; {nearest(architecture, timm.list_models())}"
        )
    if not published:
        return
    tags = [name.partition(".")[2] for name in timm.list_models(f"{architecture}.*", pretrained=True)]
    if not tags or (tag and tag not in tags):
        hint = nearest(tag, tags) if tags else "the model has no published weights; set `weights` to a file"
        raise KdbenchError(f"teacher timm: found no weights {tag!r} of timm's {architecture!r}; {hint}")


def reads(*, model: str, weights: Path | None = None) -> list[Path]:
    """The file of the weights, or what has been downloaded. Raises KdbenchError if nothing has been."""
    if weights is not None:
        return [weights]
    if model.startswith(SCHEMAS):
        return weight_files(model, "")
    config = import_timm().models.get_pretrained_cfg(model)
    repository = str(config.hf_hub_id or "")
    if repository.endswith("/"):  # timm completes it by the model's name
        repository += f"{model.partition('.')[0]}.{config.tag}"
    return weight_files(f"hf-hub:{repository}", "")


def smoke(params: dict[str, Any]) -> dict[str, Any]:
    """A tiny model of the same family with random weights, made once."""
    import torch
    from safetensors.torch import save_file

    family = next((tiny for prefix, tiny in FAMILIES.items() if params["model"].startswith(prefix)), "test_resnet")
    folder = Path(os.environ.get("KDBENCH_CACHE") or user_cache_path("kdbench")) / "smoke" / "timm"
    file = folder / f"{family}.safetensors"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            state = import_timm().create_model(family, pretrained=False).state_dict()
        partial = folder / f"{family}.{os.getpid()}.partial"
        save_file({name: value.contiguous() for name, value in state.items()}, partial)
        partial.replace(file)
    return params | {"model": family, "weights": str(file)}


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [
        Offer(
            "timm",
            Timm,
            "any image model of timm, with downloaded weights or a local file; no text tower",
            check,
            reads=reads,
            example={"model": "vit_small_patch14_dinov2.lvd142m"},
            smoke=smoke,
        )
    ]
