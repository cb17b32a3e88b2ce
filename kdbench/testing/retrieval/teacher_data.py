"""Training data for an author's own tests of a teacher."""

from __future__ import annotations

from pathlib import Path

from kdbench.contracts import Dataset, TeacherData
from kdbench.data.dataset import CachedDataset
from kdbench.storage.cache import Cache
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench.testing.retrieval.shapes_dataset import Shapes


def teacher_data(folder: Path, dataset: Dataset | None = None) -> TeacherData:
    """The train and validation splits of a dataset, by default the kit's small one, as `Teacher.towers` receives them.

    Encoded data are kept in `folder`, such as pytest's `tmp_path`.
    """
    return DatasetTeacherData(Retrieval(), CachedDataset(dataset or Shapes(), Cache(folder)))
