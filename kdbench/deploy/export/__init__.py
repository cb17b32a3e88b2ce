"""`kdbench export`: a trained student for open_clip or as ONNX, measured again as what it has become."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kdbench.contracts import Student
from kdbench.data.dataset import CachedDataset, Report, silent
from kdbench.deploy.export.card import write_card
from kdbench.deploy.export.folder import new_folder, sizes
from kdbench.deploy.export.load import trained_student
from kdbench.deploy.export.measure import agreement, both_ways, furthest
from kdbench.deploy.export.metadata import write_metadata
from kdbench.deploy.export.onnx import LIMIT, needed, onnx_latency, onnx_ranks, quantize, write_onnx
from kdbench.deploy.export.open_clip import open_clip_embeddings, write_open_clip
from kdbench.errors import KdbenchError, nearest
from kdbench.plugins.building import build_planned, building_with
from kdbench.plugins.loading import Plugins
from kdbench.records.record import Record
from kdbench.storage.cache import Cache
from kdbench.tasks.retrieval.embeddings import encode_split, student_embeddings
from kdbench.tasks.retrieval.ranks import Ranks

__all__ = ["ExportReport", "Target", "export", "onnx_latency", "onnx_ranks", "quantize", "trained_student"]

Target = Literal["open_clip", "onnx"]


@dataclass(frozen=True)
class ExportReport:
    """What was written and how it compares with the trained student on the test split."""

    folder: Path
    files: dict[str, int]  # bytes, by path in the folder
    difference: float  # the largest between an entry of an embedding, as exported, and in torch
    agreement: dict[str, float]  # share of queries that have the same rank, `text` (i2t) and `image` (t2i)
    metrics: dict[str, float]  # of the exported model, as in records
    int8: dict[str, float] = field(default_factory=dict)  # metrics of the towers in int8, embedded one item at a time
    latency: dict[str, float] = field(default_factory=dict)  # median ms by tower, batch size and precision, ONNX alone

    def lines(self) -> list[str]:
        """The report for a terminal."""
        found = [f"{self.folder / name}  {size:,} bytes" for name, size in self.files.items()]
        found.append(f"largest difference of an embedding from torch: {self.difference:.1e} (at most {LIMIT:.0e})")
        found.append(f"same ranks: {self.agreement['text']:.2%} of images, {self.agreement['image']:.2%} of captions")
        found.append(f"RSUM {self.metrics['rsum']:.2f}" + (f", in int8 {self.int8['rsum']:.2f}" if self.int8 else ""))
        if self.latency:
            found.append("median ms: " + ", ".join(f"{name} {ms:.2f}" for name, ms in self.latency.items()))
        return found


def export(
    record: Record,
    to: Target,
    folder: Path,
    plugins: Plugins,
    cache: Cache,
    int8: bool = False,
    expected: Ranks | None = None,
    report: Report = silent,
) -> ExportReport:
    """Writes the student of `record` into `folder`, whole or not at all, and measures there what was written.

    `expected` are the ranks to agree with, those of the record (`read_ranks`) or by default those that torch gives on this
    machine's CPU. Raises KdbenchError where the folder is not empty, the weights are not in the cache, the dataset is no
    longer the one of the record, the student cannot be exported `to` that, or the result is not the student.
    """
    if to not in TARGETS:
        raise KdbenchError(f"there is no export to {to!r}; {nearest(to, TARGETS)}")
    with new_folder(folder) as partial, building_with(plugins):
        student = trained_student(record, plugins, cache)
        dataset = CachedDataset(build_planned("dataset", record.spec["dataset"]), cache, "cpu", report)
        found = TARGETS[to](record, student, dataset, partial, int8, expected)
        files = sizes(partial)
    return ExportReport(folder=folder, files=files, **found)


def _open_clip(
    record: Record, student: Student, dataset: CachedDataset, folder: Path, int8: bool, expected: Ranks | None
) -> dict[str, Any]:
    if int8:
        raise KdbenchError("int8 is for ONNX, open_clip loads weights in float32: export with --to onnx")
    name, size = record.spec["student"]["name"], record.spec["evaluate"]["batch_size"]
    write_open_clip(student, name, folder)
    _same_dataset(dataset, record)
    encoded = encode_split(dataset, student, "test")
    embeddings = open_clip_embeddings(folder, dataset.split("test"), size)
    own = student_embeddings(student, encoded, size, "cpu")
    difference = furthest(embeddings, own)
    if not difference <= LIMIT:  # and not >, which a NaN would pass
        raise KdbenchError(
            f"loaded by open_clip, the student {name!r} gives other embeddings of the test split: the largest difference is "
            f"{difference:.2e}, expected {LIMIT:.0e} at most; its open_clip() does not tell how it preprocesses"
        )
    write_card(record, folder, difference)
    found = both_ways(*embeddings, encoded)
    return {
        "difference": difference,
        "agreement": agreement(found, expected or both_ways(*own, encoded)),
        "metrics": _metrics(found, record),
    }


def _onnx(
    record: Record, student: Student, dataset: CachedDataset, folder: Path, int8: bool, expected: Ranks | None
) -> dict[str, Any]:
    needed()
    _same_dataset(dataset, record)
    size = record.spec["evaluate"]["batch_size"]
    split = encode_split(dataset, student, "test")
    differences = write_onnx(student, split, folder, {"run_id": record.run_id, "label": record.label})
    ranks = onnx_ranks(folder, split, batch_size=size)
    found: dict[str, Any] = {
        "difference": max(differences.values()),
        "agreement": agreement(ranks, expected or both_ways(*student_embeddings(student, split, size, "cpu"), split)),
        "metrics": _metrics(ranks, record),
        "latency": onnx_latency(folder),
    }
    if int8:
        quantize(folder)
        found["int8"] = _metrics(onnx_ranks(folder, split, "int8", batch_size=1), record)
        found["latency"] |= {f"{name}_int8": ms for name, ms in onnx_latency(folder, "int8").items()}
    write_metadata(record, student, folder, found)
    return found


def _same_dataset(dataset: CachedDataset, record: Record) -> None:
    if dataset.digest != record.dataset_digest:
        raise KdbenchError(
            f"run {record.run_id} was ranked on a dataset with the digest {str(record.dataset_digest)[:12]}…, but "
            f"{record.spec['dataset']['name']!r} has {dataset.digest[:12]}… now; an export is checked on the same test split"
        )


def _metrics(ranks: Ranks, record: Record) -> dict[str, float]:
    return ranks.metrics(record.spec["evaluate"]["recall_at"])


TARGETS = {"open_clip": _open_clip, "onnx": _onnx}
