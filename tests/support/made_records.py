"""Records that hold together, without training: figures follow from arrays and traces, by slow oracles of their own."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from kdbench.records import names
from kdbench.records.bundle.manifest import Listed, Manifest
from kdbench.records.files import write_arrays, write_record, write_trace
from kdbench.records.record import Record
from kdbench.records.sealed import SEAL
from kdbench.records.study_summary import StudySummary, TrialSummary, write_summary
from kdbench.records.trace import Trace
from kdbench.records.verify import Problem, verify
from kdbench.storage.digest import digest_of
from kdbench.suite.spec import RunSpec, Tuning
from kdbench.suite.study import Study
from kdbench.suite.sweep import Parameter, Settings
from tests.support.toys import run_spec, toy_plugins

Arrays = dict[str, NDArray[np.int32]]
Damage = Callable[[Path, list[Path]], object]  # of a record, beside others
IMAGES, CAPTIONS, CONCEPTS, STEPS = 20, 30, 10, 12
DIGEST = "d" * 64
TRACE = Trace(  # windows of 5, 5 and 2 steps
    step=[5, 10, 12],
    loss=[3.0, 2.0, 1.5],
    task=[2.0, 1.5, 1.25],
    weights={"a": [0.5, 0.75, 0.25], "b": [0.5, 0.25, 0.75]},
    entropy=[0.693147, 0.562335, 0.562335],
    cosines={"a · b": [0.5, -0.25, 0.125]},
    conflict=[0, 1, 0],
)


def oracle(arrays: Mapping[str, NDArray[Any]], ks: tuple[int, ...] = (1, 5)) -> dict[str, float]:
    """Metrics by counting."""
    found = {}
    for name in ("image", "text"):
        values = arrays[name].tolist()
        for k in ks:
            found[f"{name}_retrieval_recall@{k}"] = sum(rank <= k for rank in values) / len(values)
    rsum = math.fsum(100 * share for share in found.values())
    return found | {"rsum": rsum, "mean_recall": rsum / len(found)}


def some_ranks(seed: int) -> Arrays:
    """Of 20 images and 30 captions, drawn at random."""
    rng = np.random.default_rng(seed)
    text = rng.integers(1, CAPTIONS + 1, IMAGES).astype(np.int32)
    return {"text": text, "image": rng.integers(1, IMAGES + 1, CAPTIONS).astype(np.int32)}


def made(
    results: Path,
    seed: int = 0,
    *,
    trace: bool = True,
    spec: RunSpec | Mapping[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """Writes a record with its arrays and trace and returns its path.

    `spec` is the run, or what of the toys' run to change; other arguments change the record.
    """
    run = spec if isinstance(spec, RunSpec) else run_spec(seed=seed, **spec or {})
    path = names.record_path(results, run.suite, run.run_id)
    arrays = some_ranks(seed)
    lengths, columns = [5, 5, 2], TRACE.weights
    means = {name: sum(n * w for n, w in zip(lengths, columns[name], strict=True)) / STEPS for name in columns}
    fields: dict[str, Any] = {
        "run_id": run.run_id,
        "cell_id": run.cell_id,
        "label": run.label,
        "status": "ok",
        "spec": run,
        "metrics": oracle(arrays),
        "validation": oracle(some_ranks(seed + 100)),
        "best_epoch": 2,
        "steps": STEPS,
        "weights": means if run.team else {},
        "sizes": {"images": IMAGES, "captions": CAPTIONS, "concepts": CONCEPTS},
        "dataset_digest": DIGEST,
        "licence": "CC0",
        "arrays_sha256": write_arrays(path, arrays),
        "timings": {"teacher": 1.0, "train": 8.0, "evaluate": 2.0},
        "versions": {"python": "3.11.4", "torch": "2.6.0"},
        "commit": "c" * 40,
        "dirty": False,
        "host": {"id": "0a1b2c3d"},
        "device": "cpu",
        "threads": 1,
        "started": "2025-01-01T00:00:00Z",
        "finished": "2025-01-01T00:00:10Z",
    }
    if trace:
        mean = sum(TRACE.entropy) / 3
        fields["dynamics"] = {"weight_entropy": mean, "gradient_cosine": 0.125, "conflicting_steps": 1 / 3}
        loss = [3.0 + seed, 2.0, 1.5]
        fields["trace_sha256"] = write_trace(path, Trace(**TRACE.model_dump() | {"loss": loss}))
    return write_record(results, Record(**fields | changes))


def several(results: Path, count: int = 4) -> list[Path]:
    """Records of one cell, one a seed."""
    return [made(results, seed) for seed in range(count)]


def tuned(results: Path, *, trials: int = 3, seeds: int = 2, lr: float = 0.05) -> tuple[Path, list[Path]]:
    """A cell that was tuned: the summary of its study, whose second trial is the best, and a tuned record a seed."""
    space = (
        Parameter(path="train.lr", kind="float", low=0.001, high=0.1),
        Parameter(path="objective[1].coefficient", kind="choice", choices=[0.5, 0.75]),
    )
    study = Study(spec=run_spec(), space=space, settings=Settings(trials=trials, metric="mean_recall"))
    tried = [
        TrialSummary(
            number=number,
            state="complete",
            params={"train.lr": lr, "objective[1].coefficient": 0.75} if number == 1 else {"train.lr": 0.01 + number / 1000},
            values=[50.0 if number == 1 else 10.0 + number],
        )
        for number in range(trials)
    ]
    summary = StudySummary.of(study, best=1, trials=tried)
    relational, feature = run_spec().objective
    spec = {
        "train": {"lr": lr, "checkpoint_every": 7},
        "objective": (relational, feature.replace(coefficient=0.75)),
        "tuning": Tuning(split="validation", trials=trials, metric="mean_recall"),
    }
    return write_summary(results, summary), [made(results, seed, spec=spec) for seed in range(seeds)]


def edit(path: Path, change: Callable[[dict[str, Any]], object], seal: bool = True) -> None:
    """Changes a record, a summary or a trace. If it states the sum of its content, it states that of the new one, or none."""
    content = json.loads(path.read_text(encoding="utf-8"))
    stated = content.pop(SEAL, None)
    change(content)
    if stated and seal:
        with suppress(ValueError):  # of NaN, nobody can state it
            content[SEAL] = digest_of(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def reranked(path: Path, arrays: Arrays) -> None:
    """Puts other ranks beside a record and makes everything in it follow from them."""
    sha256 = write_arrays(path, arrays)
    edit(path, lambda record: record.update(arrays_sha256=sha256, metrics=oracle(arrays)))


def arrays_path(path: Path) -> Path:
    """The file of a record's arrays."""
    return path.with_suffix(names.ARRAYS)


def trace_path(path: Path) -> Path:
    """The file of a record's trace."""
    return path.with_suffix(names.TRACE)


def contents(bundle: Path) -> dict[str, bytes]:
    with ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, files: dict[str, bytes]) -> Path:
    """A zip file of these contents, whose own checksums are right."""
    with ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def resealed(path: Path, files: dict[str, bytes]) -> Path:
    """A bundle of these files, with a manifest that lists them as they are."""
    listed = {
        name: Listed(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in files.items()
        if name != "manifest.json"
    }
    manifest = Manifest(kdbench="0", by="Eve", dirty=[], files=listed).sealed()
    return packed(path, files | {"manifest.json": manifest.content()})


def whats(problems: list[Problem]) -> list[str]:
    return [problem.what for problem in problems]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def set_in(*keys: str | int, to: Any) -> Damage:
    def damage(path: Path, _: list[Path]) -> None:
        def change(record: Any) -> None:
            *outer, last = keys
            for key in outer:
                record = record[key]
            record[last] = to

        edit(path, change)

    return damage


def check_refused(folder: Path, damage: Damage, what: str) -> None:
    """Damages one of four records: problems name that record alone, and the others stay usable."""
    paths = several(folder)
    damage(paths[1], [paths[0], *paths[2:]])
    records, problems = verify([folder], toy_plugins())
    assert any(what in problem.what for problem in problems), problems
    assert {Path(problem.path).name.partition(".")[0] for problem in problems} == {paths[1].stem}
    assert all(problem.found and problem.expected for problem in problems)
    assert sorted(record.run_id for record in records) == sorted(path.stem for path in paths if path != paths[1])
