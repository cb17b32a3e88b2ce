"""The teacher `embeddings`: vectors that somebody has computed already, so that a teacher teaches without being run."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from kdbench import Encoder, KdbenchError, Modality, NoTower, Offer, Teacher, TeacherData, Towers, hookimpl
from kdbench.storage.digest import file_digest
from kdbench_plugins.teachers.vectors import Vectors, files_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

FORMAT = 1
WIDTH = 32  # of drawn vectors


class Embeddings:
    """`images` and `captions` are files of vectors of one width, keyed by the dataset's ids; one of the two may be left out.

    A .npy file, floats [rows, width], is mapped into memory; its ids stand beside it, for `images.npy` in `images.ids.txt`, one
    a line. A .parquet file has a column of ids and one of lists of floats, `id_column` and `vector_column`. Vectors need not be
    normalised. The id of an image is the name of its file, such as `1000092795.jpg` (in `folder` the path in the table), the id
    of its first caption `1000092795.jpg#0`. An id that the dataset does not have is left aside: the file may cover more.

    `logit_scale` multiplies cosines where an objective compares images with captions. With `miniature`, vectors are drawn from
    the ids and no file is read.
    """

    def __init__(
        self,
        *,
        images: Path | None = None,
        captions: Path | None = None,
        id_column: str = "id",
        vector_column: str = "embedding",
        logit_scale: Annotated[float, Field(gt=0, le=100)] = 100.0,
        miniature: bool = False,
    ) -> None:
        drawn = miniature and images is None and captions is None
        self._given: dict[Modality, Path | None] = {"image": images, "text": captions}
        self._columns = id_column, vector_column
        self._scale = logit_scale
        self._miniature = miniature
        self.lacks: Modality | None = None if drawn else "image" if images is None else "text" if captions is None else None
        self.plain = self.lacks != "image"

    def towers(self, data: TeacherData) -> Towers:
        """Raises KdbenchError if an image or a caption of the train split has no vector, or the widths of the files differ."""
        image, text = self._tower("image"), self._tower("text")
        files = [tower for tower in (image, text) if isinstance(tower, Looked)]
        if len({tower.vectors.width for tower in files}) > 1:
            found = " and ".join(f"{tower.vectors.width} ({tower.vectors.path})" for tower in files)
            raise KdbenchError(f"teacher embeddings: found vectors of widths {found}; expected one width")
        for tower in files:
            split = data.split("train")
            ids = split.image_ids if tower.modality == "image" else split.caption_ids
            tower.vectors.refuse_missing(ids, f"{WORDS[tower.modality]} of the train split")
        return Towers(image, text, self._scale)

    def _tower(self, modality: Modality) -> Encoder:
        if modality == self.lacks:
            return NoTower(modality)
        path = self._given[modality]
        if self._miniature or path is None:
            return Drawn(modality)
        return Looked(modality, Vectors(path, *self._columns))


WORDS: dict[Modality, Literal["images", "captions"]] = {"image": "images", "text": "captions"}


class Looked:
    """Unit vectors [B, d] of ids, looked up in a file."""

    base: Encoder | None = None
    ids = True

    def __init__(self, modality: Modality, vectors: Vectors) -> None:
        from kdbench.storage.content_digest import state_of

        self.modality = modality
        self.vectors = vectors
        files = [_digest(path, state_of(path)) for path in files_of(vectors.path)]
        made_of = ["embeddings", FORMAT, modality, files, vectors.id_column, vectors.vector_column]
        self.key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()

    def encode(self, items: Any, device: str) -> Tensor:
        return _unit(self.vectors.of(list(items), WORDS[self.modality]), device)


class Drawn:
    """Unit vectors [B, 32] drawn from ids: those of `photo.jpg` and `photo.jpg#0` are alike."""

    base: Encoder | None = None
    ids = True

    def __init__(self, modality: Modality) -> None:
        self.modality = modality
        self.key = f"drawn {FORMAT} {modality}"

    def encode(self, items: Any, device: str) -> Tensor:
        import numpy as np

        def drawn(text: str) -> NDArray[np.float64]:
            return np.random.default_rng(list(hashlib.sha256(text.encode()).digest())).standard_normal(WIDTH)

        return _unit(np.stack([drawn(one.partition("#")[0]) + drawn(one) / 2 for one in items]), device)


@lru_cache
def _digest(path: Path, state: object) -> str:  # noqa: ARG001 (another state is another content)
    """The sha256 of a file, read once a process: every run asks for it."""
    return file_digest(path)


def _unit(values: NDArray[Any], device: str) -> Tensor:
    import torch

    return torch.nn.functional.normalize(torch.from_numpy(values).to(device, torch.float32), dim=1)


def check(*, images: Path | None, captions: Path | None, miniature: bool, **_: object) -> None:
    """Raises KdbenchError if no file is given or one does not exist."""
    if miniature:
        return
    if images is None and captions is None:
        raise KdbenchError("teacher embeddings: found neither images nor captions; expected a .npy or .parquet file of vectors")
    reads(images=images, captions=captions, miniature=miniature)


def reads(*, images: Path | None, captions: Path | None, miniature: bool, **_: object) -> list[Path]:
    """The files of vectors and of ids."""
    given = [] if miniature else [path for path in (images, captions) if path is not None]
    return [file for path in given for file in files_of(path)]


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [
        Offer(
            "embeddings",
            Embeddings,
            "vectors that you have already, from .npy or Parquet files keyed by image and caption id",
            check,
            reads=reads,
            example={"miniature": True},
            shown={"images": "vectors/images.npy", "captions": "vectors/captions.parquet"},
            smoke=lambda params: params | {"miniature": True},
        )
    ]
