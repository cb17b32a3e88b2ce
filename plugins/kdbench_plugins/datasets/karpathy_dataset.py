"""The common part of datasets under the Karpathy protocol: parameters, check, miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from kdbench import Dataset, Offer
from kdbench_plugins.datasets.karpathy import About, Form, locate
from kdbench_plugins.datasets.miniature import check_miniature, miniature_folder
from kdbench_plugins.datasets.ondisk import OnDisk, Size


class KarpathyDataset(OnDisk):
    """Base class. Subclasses set `about`; `kdbench plugins NAME` shows their docstring."""

    about: ClassVar[About]

    def __init__(
        self,
        *,
        root: Path | None = None,
        form: Form | None = None,
        size: Size = 256,
        quarantine: Path | None = None,
        miniature: bool = False,
    ) -> None:
        about = self.about
        if miniature:
            super().__init__(about.name, about.licence, size, locate(about, miniature_folder(about.name), None))
        else:
            super().__init__(about.name, about.licence, size, locate(about, root, form), quarantine, about.published)

    @classmethod
    def check(cls, *, root: Path | None, form: Form | None, size: int, quarantine: Path | None, miniature: bool) -> None:  # noqa: ARG003
        """Raises KdbenchError if the dataset is not found."""
        if miniature:
            check_miniature()
        else:
            locate(cls.about, root, form)

    @classmethod
    def offer(cls, summary: str) -> Offer[Dataset]:
        small = {"root": None, "form": None, "quarantine": None, "miniature": True, "size": 64}

        def reads(**params: Any) -> list[Path]:
            return cls(**params).files

        name, example = cls.about.name, {"miniature": True}
        return Offer(name, cls, summary, check=cls.check, reads=reads, example=example, smoke=lambda _: small)
