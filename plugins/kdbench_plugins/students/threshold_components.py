"""Which weights of a student share a soft threshold: those of each tower, and apart from them those of its projection."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

from kdbench import KdbenchError, Student

if TYPE_CHECKING:
    from torch import Tensor

Side = Literal["image", "text"]
SIDES: tuple[Side, ...] = ("image", "text")
# The projections of open_clip's towers to the common space, which are to it what task heads are to AdapMTL's networks.
PROJECTIONS = (
    "clip.visual.proj",
    "clip.visual.head.*",
    "clip.visual.attnpool.c_proj.*",
    "clip.text_projection*",
    "clip.text.text_projection*",
    "clip.text.proj.*",
)
# Looked up and not multiplied with: a row serves one token or one position, however small it is.
TABLES = ("*embedding*", "*pos_embed*", "*cls_token*")
BLANK = 64  # pixels of the picture that is encoded to find the parameters of each tower


def components(student: Student) -> dict[Side, list[list[str]]]:
    """Names of the parameters that are pruned: for each tower a list of components, its body and its projection if it has one.

    Pruned are trainable matrices and filters, but no tables of embeddings. Raises KdbenchError for a tower without any and for
    a weight that both towers use.
    """
    module: Any = student.module
    weights = {
        name: value
        for name, value in module.named_parameters()
        if value.requires_grad and value.dim() > 1 and not _fits(name, TABLES)
    }
    found: dict[Side, list[list[str]]] = {}
    seen: dict[str, Side] = {}
    for side in SIDES:
        used = _used(student, side, weights)
        if shared := [name for name in used if name in seen]:
            raise KdbenchError(
                f"student soft_threshold: found {shared[0]!r} in both towers; expected towers that share no weights, "
                "because each has its own sparsity"
            )
        if not used:
            raise KdbenchError(
                f"student soft_threshold: found no trainable matrix or filter in the {side} tower; expected weights to prune"
            )
        seen |= dict.fromkeys(used, side)
        parts = [[name for name in used if not _fits(name, PROJECTIONS)], [name for name in used if _fits(name, PROJECTIONS)]]
        found[side] = [names for names in parts if names]
    return found


def _used(student: Student, side: Side, weights: dict[str, Tensor]) -> list[str]:
    """The weights that an embedding of a tower depends on."""
    import numpy as np
    import torch

    module: Any = student.module
    was_training = module.training
    module.eval()  # batch norm must not learn from a blank picture
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            if side == "image":
                output = module.encode_image(_read(student.images, np.zeros((1, BLANK, BLANK, 3), dtype=np.uint8)))
            else:
                output = module.encode_text(_read(student.texts, ["a"]))
            if not weights or not output.requires_grad:
                return []
            grads = torch.autograd.grad(output.sum(), list(weights.values()), allow_unused=True)
    finally:
        module.train(was_training)
    return [name for name, grad in zip(weights, grads, strict=True) if grad is not None]


def _read(encoder: Any, items: Any) -> Tensor:
    """Items as a tower reads them."""
    read: Tensor = encoder.encode(items if encoder.base is None else _read(encoder.base, items), "cpu")
    return read.float() if read.is_floating_point() else read


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
