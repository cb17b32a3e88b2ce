"""Names of files under results/."""

from __future__ import annotations

import re
from pathlib import Path

from kdbench.storage.digest import digest_of
from kdbench.suite.spec import Fold

RUN_FILE = re.compile(r"[0-9a-f]{12}\.json")
# Suffixes of the files beside a record, in place of its `.json`; that of units follows the digest of the test split.
ARRAYS, TRACE, UNITS = ".test.npz", ".trace.json", ".units.npz"


def record_path(results: Path, suite: str, run_id: str) -> Path:
    """The path of a run's record."""
    return results / suite / f"{run_id}.json"


def split_digest(dataset_digest: str, fold: Fold | None = None) -> str:
    """Identifies a test split: by the digest of its dataset, that of a fold by one that follows from it."""
    return digest_of([dataset_digest, fold.index, fold.of]) if fold else dataset_digest


def units_path(record: Path, split_digest: str) -> Path:
    """The file of a split's test units beside a record, the same for all records of the split in a folder."""
    return record.with_name(f"{split_digest[:12]}{UNITS}")
