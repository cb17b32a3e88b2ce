"""The teacher `normalized`: another teacher, whose embeddings a linear map fitted on the train split brings to one scale."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

from kdbench import Encoder, KdbenchError, Modality, NoTower, Offer, Teacher, TeacherData, Towers, Uses, hookimpl
from kdbench_plugins.teachers.hadamard import hadamard
from kdbench_plugins.teachers.tower import tensor_of
from kdbench_plugins.teachers.wrapped import Wrapped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Matrix = NDArray[np.float64]

FORMAT = 1
BLOCK = 1 << 16  # embeddings that are read at a time
FLOOR = 1e-3  # of the mean variance is added to each: directions in which the train split hardly varies are not blown up
By = Literal["standardize", "whiten", "phi_s"]


class Normalized(Wrapped):
    """`teacher` with embeddings A (x − μ), normalised to length one. μ is the mean of the train split's images for images, of
    its captions for captions; Σ is the covariance about these means, averaged over the two; A is the same for both, so that
    images and captions stay comparable.

    - `standardize`: A divides each coordinate by its standard deviation.
    - `whiten`: A = Σ^-½ (ZCA), the whitening that turns embeddings the least.
    - `phi_s`: A = α H Uᵀ, PHI-S of AM-RADIO (Ranzinger et al., arXiv 2410.01680): U holds Σ's eigenvectors, H is a Hadamard
      matrix over √d, α = 1 / √(mean variance). Each coordinate then has the same variance. Refused for widths d
      without such a matrix.

    Embeddings of kdbench have length one, so α is without effect, and of `phi_s` objectives that depend on cosines alone see
    only the centring: H Uᵀ turns all embeddings alike. A temperature is found for the new cosines by `entropy_matched`.
    """

    def __init__(self, *, teacher: Annotated[dict[str, Any], Uses("teacher")], by: By) -> None:
        super().__init__(teacher)
        self.by: By = by

    def towers(self, data: TeacherData) -> Towers:
        """Fits the map; the embeddings of the other teacher are encoded, or read from the cache, for it."""
        towers = self.inner(data)
        present = {tower.modality: tower for tower in (towers.image, towers.text) if not isinstance(tower, NoTower)}
        fits = {modality: moments(data.encode(tower, "train")) for modality, tower in present.items()}
        covariances = [covariance for _, covariance in fits.values()]
        matrix = MAPS[self.by](sum(covariances[1:], covariances[0]) / len(covariances))
        made: dict[Modality, Encoder] = {
            modality: Mapped(tower, fits[modality][0], matrix) for modality, tower in present.items()
        }
        return Towers(made.get("image", towers.image), made.get("text", towers.text), towers.logit_scale)


class Mapped:
    """Maps its base's embeddings x [B, d] to A (x − μ), normalised. `mean` is μ [d], `matrix` A [d, d]."""

    def __init__(self, base: Encoder, mean: Matrix, matrix: Matrix) -> None:
        import numpy as np

        self.modality: Modality = base.modality
        self.base: Encoder | None = base
        self._mean, self._matrix = (values.astype(np.float32) for values in (mean, matrix))
        digest = hashlib.sha256(f"normalized-{FORMAT}|{base.key}|".encode())
        digest.update(self._mean.tobytes() + self._matrix.tobytes())
        self.key = digest.hexdigest()

    def encode(self, items: Any, device: str) -> Tensor:
        from torch.nn.functional import normalize

        mean, matrix = (tensor_of(values, device) for values in (self._mean, self._matrix))
        return normalize((tensor_of(items, device).float() - mean) @ matrix.T, dim=1)


def moments(rows: NDArray[Any]) -> tuple[Matrix, Matrix]:
    """The mean [d] and the covariance [d, d] of embeddings [N, d], which are read in blocks."""
    import numpy as np

    blocks = range(0, len(rows), BLOCK)
    width = rows.shape[1]
    mean, covariance = np.zeros(width), np.zeros((width, width))
    for start in blocks:
        mean += np.asarray(rows[start : start + BLOCK], dtype=np.float64).sum(axis=0) / len(rows)
    for start in blocks:
        centred = np.asarray(rows[start : start + BLOCK], dtype=np.float64) - mean
        covariance += centred.T @ centred / max(len(rows) - 1, 1)
    return mean, covariance


def standardizing(covariance: Matrix) -> Matrix:
    """The diagonal matrix that gives each coordinate a variance of one."""
    import numpy as np

    variances = covariance.diagonal()
    return np.diag((variances + FLOOR * variances.mean()) ** -0.5)


def whitening(covariance: Matrix) -> Matrix:
    """Σ^-½: coordinates then have a variance of one and no covariance."""
    values, vectors = eigen(covariance)
    made: Matrix = (vectors * (values + FLOOR * values.mean()) ** -0.5) @ vectors.T
    return made


def phi_standardizing(covariance: Matrix) -> Matrix:
    """α H Uᵀ: the variances of all coordinates are then their mean, one. Raises KdbenchError if no H of the width is known."""
    rotation = hadamard(len(covariance))
    if rotation is None:
        raise KdbenchError(
            f"teacher normalized: by: found phi_s for embeddings of width {len(covariance)}, of which no Hadamard matrix is "
            "constructed; expected standardize or whiten, or a width such as 384, 512, 640, 768, 1024, 1152 or 1280"
        )
    values, vectors = eigen(covariance)
    made: Matrix = rotation @ vectors.T / (len(covariance) * values.mean()) ** 0.5
    return made


def eigen(covariance: Matrix) -> tuple[Matrix, Matrix]:
    """Eigenvalues [d], none below zero, and eigenvectors in columns, the largest entry of each positive."""
    import numpy as np

    values, vectors = np.linalg.eigh(covariance)
    largest = np.abs(vectors).argmax(axis=0)
    return values.clip(min=0), vectors * np.sign(vectors[largest, np.arange(len(values))])


MAPS = {"standardize": standardizing, "whiten": whitening, "phi_s": phi_standardizing}


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [
        Offer(
            "normalized",
            Normalized,
            "another teacher, standardised, whitened or rotated by a map fitted on the train split (PHI-S)",
            example={"teacher": {"use": "embeddings", "miniature": True}, "by": "phi_s"},
        )
    ]
