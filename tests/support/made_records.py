"""Records that hold together, without training: figures follow from ranks and series, by slow oracles of their own."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from kdbench.records.bundle.manifest import Listed, Manifest
from kdbench.records.record import Record, write_ranks, write_record, write_series
from kdbench.records.study_summary import StudySummary, TrialSummary, write_summary
from kdbench.records.verify import Problem, verify
from kdbench.suite.sweep import Parameter, Settings
from kdbench.tasks.retrieval.ranks import Ranks
from kdbench.tuning.study import Study
from tests.support.toys import run_spec, toy_plugins

Damage = Callable[[Path, list[Path]], object]  # of a record, beside others
IMAGES, CAPTIONS, CONCEPTS, STEPS = 20, 30, 10, 12
DIGEST = "d" * 64
SERIES: dict[str, Any] = {  # windows of 5, 5 and 2 steps
    "step": [5, 10, 12],
    "loss": [3.0, 2.0, 1.5],
    "task": [2.0, 1.5, 1.25],
    "weights": {"a": [0.5, 0.75, 0.25], "b": [0.5, 0.25, 0.75]},
    "entropy": [0.693147, 0.562335, 0.562335],
    "cosines": {"a · b": [0.5, -0.25, 0.125]},
    "conflict": [0, 1, 0],
}


def oracle(ranks: Ranks, ks: tuple[int, ...] = (1, 5)) -> dict[str, float]:
    """Metrics by counting."""
    found = {}
    for name, values in (("image", ranks.image.tolist()), ("text", ranks.text.tolist())):
        for k in ks:
            found[f"{name}_retrieval_recall@{k}"] = sum(rank <= k for rank in values) / len(values)
    rsum = math.fsum(100 * share for share in found.values())
    return found | {"rsum": rsum, "mean_recall": rsum / len(found)}


def some_ranks(seed: int) -> Ranks:
    rng = np.random.default_rng(seed)
    text = rng.integers(1, CAPTIONS + 1, IMAGES).astype(np.int32)
    return Ranks(text=text, image=rng.integers(1, IMAGES + 1, CAPTIONS).astype(np.int32))


def made(results: Path, seed: int = 0, *, series: bool = True, spec: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Writes a record with its ranks and series; its path. `spec` changes the spec, other arguments the record."""
    laid_out = run_spec(seed=seed, **spec or {})
    path = results / laid_out.suite / f"{laid_out.run_id}.json"
    ranks = some_ranks(seed)
    lengths, columns = [5, 5, 2], SERIES["weights"]
    means = {name: sum(n * w for n, w in zip(lengths, columns[name], strict=True)) / STEPS for name in columns}
    fields: dict[str, Any] = {
        "run_id": laid_out.run_id,
        "cell_id": laid_out.cell_id,
        "label": laid_out.label,
        "status": "ok",
        "spec": laid_out.as_dict(),
        "metrics": oracle(ranks),
        "validation": oracle(some_ranks(seed + 100)),
        "best_epoch": 2,
        "steps": STEPS,
        "weights": means if laid_out.team else {},
        "sizes": {"images": IMAGES, "captions": CAPTIONS, "concepts": CONCEPTS},
        "dataset_digest": DIGEST,
        "licence": "CC0",
        "ranks_sha256": write_ranks(path, ranks),
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
    if series:
        mean = sum(SERIES["entropy"]) / 3
        fields["dynamics"] = {"weight_entropy": mean, "gradient_cosine": 0.125, "conflicting_steps": 1 / 3}
        fields["series_sha256"] = write_series(path, SERIES | {"loss": [3.0 + seed, 2.0, 1.5]})
    return write_record(results, Record(**fields | changes))


def several(results: Path, count: int = 4) -> list[Path]:
    """Records of one cell, one a seed."""
    return [made(results, seed) for seed in range(count)]


def tuned(results: Path, *, trials: int = 3, seeds: int = 2, lr: float = 0.05) -> tuple[Path, list[Path]]:
    """A cell that was tuned: the summary of its study, whose second trial is the best, and a tuned record a seed."""
    space = [Parameter(path="train.lr", kind="float", low=0.001, high=0.1)]
    space += [Parameter(path="objective[1].coefficient", kind="choice", choices=[0.5, 0.75])]
    study = Study(run_spec().as_dict(), [one.model_dump() for one in space], Settings(trials=trials).model_dump())
    tried = [
        TrialSummary(
            number=number,
            state="complete",
            params={"train.lr": lr, "objective[1].coefficient": 0.75} if number == 1 else {"train.lr": 0.01 + number / 1000},
            values=[50.0 if number == 1 else 10.0 + number],
        )
        for number in range(trials)
    ]
    summary = StudySummary(
        study=study.name,
        digest=study.digest,
        suite="toys",
        label="toy · a+b · equal",
        spec=study.spec,
        space=study.space,
        settings=study.settings,
        version=study.version,
        goals=["mean_recall"],
        directions=["maximize"],
        best=1,
        trials=tried,
    )
    relational, feature = run_spec().objective
    spec = {
        "train": {"lr": lr, "checkpoint_every": 7},
        "objective": [relational, feature | {"coefficient": 0.75}],
        "tuning": {"split": "validation", "trials": trials, "metric": "mean_recall"},
    }
    return write_summary(results, summary), [made(results, seed, spec=dict(spec)) for seed in range(seeds)]


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes a record, or a series, as an editor would."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def reranked(path: Path, ranks: Ranks) -> None:
    """Puts other ranks beside a record and makes all that it says follow from them."""
    sha256 = write_ranks(path, ranks)
    edit(path, lambda record: record.update(ranks_sha256=sha256, metrics=oracle(ranks)))


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
    """Damages one of four records: it is named for it, with nothing else, and the others stay usable."""
    paths = several(folder)
    damage(paths[1], [paths[0], *paths[2:]])
    records, problems = verify([folder], toy_plugins())
    assert any(what in problem.what for problem in problems), problems
    assert {Path(problem.path).name.partition(".")[0] for problem in problems} == {paths[1].stem}
    assert all(problem.found and problem.expected for problem in problems)
    assert sorted(record.run_id for record in records) == sorted(path.stem for path in paths if path != paths[1])
