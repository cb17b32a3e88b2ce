"""What students and teachers of retrieval must be and return. Structure is checked when they are built, embeddings at use."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kdbench.contracts import Encoder, Student, Towers
from kdbench.contracts.border import checked_tensor, described, owner, refused, required
from kdbench.data.borders import checked_encoder
from kdbench.errors import KdbenchWarning, PluginError

NORM = 2e-2  # of unit vectors; bfloat16 keeps eight bits


def checked_student(student: object) -> None:
    """Raises PluginError if a student lacks what the contracts `Student` and `StudentModule` ask for."""
    width = getattr(student, "width", None)
    if isinstance(width, bool) or not isinstance(width, int) or width < 1:
        raise refused(student, "width", "nothing" if width is None else described(width), "the width of its embeddings")
    module = getattr(student, "module", None)
    if not isinstance(module, nn.Module):
        raise refused(student, "module", described(module), "a torch.nn.Module")
    required(module, "a student's module", ["encode_image", "encode_text"])
    if hasattr(module, "auxiliary_loss"):
        required(module, "a module with an auxiliary loss", ["encode_views", "auxiliary_loss"])
    scale = getattr(module, "logit_scale", None)
    if not isinstance(scale, Tensor) or scale.numel() != 1 or not torch.isfinite(scale).all():
        found = "nothing" if scale is None else described(scale)
        raise refused(module, "logit_scale", found, "a parameter with one finite number, the logarithm of the scale")
    for name, modality in (("images", "image"), ("texts", "text")):
        encoder = checked_encoder(getattr(student, name, None), student, name)
        if encoder.modality != modality:
            raise refused(student, f"{name}.modality", repr(encoder.modality), repr(modality))


def checked_towers(towers: object, teacher: object) -> Towers:
    """What `towers` returned. Raises PluginError if these are not two encoders, an image's and a text's, and a scale."""
    if not isinstance(towers, Towers):
        raise refused(teacher, "towers", described(towers), "kdbench.Towers(image, text, logit_scale)")
    for modality in ("image", "text"):
        encoder = checked_encoder(getattr(towers, modality), teacher, f"towers().{modality}")
        if encoder.modality != modality:
            raise refused(teacher, f"towers().{modality}.modality", repr(encoder.modality), repr(modality))
    scale: object = towers.logit_scale
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not math.isfinite(scale) or scale <= 0:
        raise refused(teacher, "towers().logit_scale", described(scale), "a finite number above 0, already exponentiated")
    return towers


def checked_teacher(teacher: object) -> None:
    """Raises PluginError if a teacher has no method `towers`."""
    required(teacher, "a teacher", ["towers"])


def checked_views(student: Student, views: object, rows: int) -> tuple[Tensor, ...]:
    """Image and text embeddings, and further views, of a student. Raises PluginError unless embeddings are [B, width]."""
    if not isinstance(views, tuple | list) or len(views) < 2:
        raise refused(student.module, "encode_views", described(views), "image embeddings, text embeddings and other tensors")
    for view, method in zip(views, ("encode_image", "encode_text"), strict=False):
        checked_tensor(view, student.module, method, [rows, student.width])
    return tuple(views)


def checked_norms(embeddings: Tensor, maker: object, method: str) -> None:
    """Raises PluginError if finite embeddings [B, d] are not unit vectors. A zero vector, of a dead unit, passes."""
    norms = embeddings.detach().float().norm(dim=1)
    wrong = ((norms - 1).abs() > NORM) & (norms > 0) & torch.isfinite(norms)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        found = f"norm {float(norms[row]):.4g} in row {row}"
        hint = "torch.nn.functional.normalize(values, dim=1)"
        raise PluginError(f"{owner(maker)}.{method}: found {found}, expected unit vectors; return {hint}")


class UnitRows:
    """Checks a tower's embeddings, [B, d] as stored: unit vectors of one width, by default any."""

    ROWS = 256  # checked when embeddings are read from the cache

    def __init__(self, tower: Encoder, width: int | None = None) -> None:
        self.tower, self.width = tower, width
        self._warned = False

    def __call__(self, values: NDArray[Any]) -> int:
        """As `width_of`; warns, once, of rows without a direction and of rows that are all equal."""
        width = self.width_of(values)
        if not self._warned and width and (doubt := _doubt(values)):
            warnings.warn(f"{owner(self.tower)}.encode: found {doubt}", KdbenchWarning, stacklevel=2)
            self._warned = True
        return width

    def width_of(self, values: NDArray[Any]) -> int:
        """The width of embeddings. Raises PluginError if they are no unit vectors or zeros, or of another width."""
        made = torch.from_numpy(np.array(values))
        checked_tensor(made, self.tower, "encode", [len(values), self.width])
        checked_norms(made, self.tower, "encode")
        return int(made.shape[1])


def _doubt(values: NDArray[Any]) -> str:
    """What makes embeddings [B, d] useless to a student although they break no rule; "" if nothing does."""
    zero = ~values.any(axis=1)
    if zero.any():
        rows = f"{int(zero.sum())} of {len(values)} embeddings" if zero.sum() > 1 else f"1 of {len(values)} embeddings"
        return f"{rows} of length 0, the first in row {int(zero.argmax())} of its chunk; expected unit vectors"
    if len(values) > 1 and (values[1:] == values[0]).all():
        return f"{len(values)} equal embeddings in a row; expected different ones of different items"
    return ""
