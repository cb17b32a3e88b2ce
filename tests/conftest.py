"""A tiny suite with tiny plugins of its own, and records without training."""

from __future__ import annotations

import gc
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from pydantic import Field

from kdbench import Dataset, KdbenchError, Objective, Offer, Split, SplitName, Student, Teacher, Uses, hookimpl
from kdbench.plugins.loading import Plugins
from kdbench.records.record import Record
from kdbench.suite.spec import RunSpec
from kdbench.tasks import retrieval
from kdbench_plugins.strategies import ammkd, equal, fixed
from tests.support.distributions import describe

# The same examples every time, no clock and no database: a test that failed fails again.
settings.register_profile("same", derandomize=True, deadline=None, max_examples=60, database=None)
settings.load_profile("same")

os.environ["COLUMNS"] = "100"  # the same tables and lines whatever terminal the tests are run in


LONG = (
    "tests/test_end_to_end.py",
    "tests/test_wheel.py",
    "tests/cli/test_sweep.py",
    "tests/suites/test_suites.py",
    "tests/kdbench_plugins/engines/test_ray.py",
    "tests/engines/test_tuner.py",
    "tests/training/test_distributed.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: of several processes, none is left with one of them when the others have ended."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


FROZEN = {"modules": 0}


def pytest_collection_finish() -> None:
    """Every run collects garbage before its memory is measured: what all tests share is not looked through each time."""
    FROZEN["modules"] = len(sys.modules)
    gc.freeze()


def pytest_runtest_teardown() -> None:
    """Nor is what the first tests import, such as torch's compiler, which comes with the first optimizer."""
    if len(sys.modules) > FROZEN["modules"] + 200:
        gc.collect()
        FROZEN["modules"] = len(sys.modules)
        gc.freeze()


SUITE = """\
name: tiny
seeds: [0, 1]
datasets:
  - use: shapes
students:
  - use: pebble
teachers:
  a: {use: lens, focal: 35.0}
  b: {use: lens, focal: 50.0}
teams:
  - []
  - [a]
  - [a, b]
strategies:
  - equal
  - {use: ammkd, C: 0.6}
objective:
  - {use: cosine}
train: {epochs: 2, batch_size: 8}
evaluate: {recall_at: [1, 5]}
"""


class Sealed(Sequence[NDArray[np.uint8]]):
    """Images that nobody may look at."""

    def __init__(self, count: int) -> None:
        self.total = count

    def __len__(self) -> int:
        return self.total

    def __getitem__(self, index: Any) -> Any:
        raise AssertionError(f"image {index} was decoded")


class Shapes:
    """40 images for training, 12 for validation, 10 for test, each with one caption."""

    size = 8
    licence = "CC0"

    def __init__(self, *, colours: Annotated[int, Field(ge=1, le=9)] = 3, folder: str = "here") -> None:
        if folder != "here":
            raise KdbenchError(f"{folder}: no shapes are there; draw some first")
        self.fingerprint = f"shapes-{colours}"

    def split(self, name: SplitName) -> Split:
        first, count = {"train": (0, 40), "validation": (40, 12), "test": (52, 10)}[name]
        concepts = np.arange(first, first + count)
        return Split(Sealed(count), [f"shape {i}" for i in range(count)], concepts, concepts)


def lens(*, focal: float, coated: bool = False) -> Teacher:
    raise AssertionError(f"a teacher was built: {focal}, {coated}")


def tutor(*, student: Annotated[dict[str, Any], Uses("student")], lessons: Annotated[int, Field(ge=1)] = 3) -> Teacher:
    raise AssertionError(f"a teacher was built: {student}, {lessons}")


def pebble(*, width: int = 8, shade: int | str = "grey") -> Student:
    raise AssertionError(f"a student was built: {width}, {shade}")


def cosine(*, power: float = 1.0) -> Objective:
    raise AssertionError(f"an objective was built: {power}")


class Tiny:
    """A plugin of everything but strategies."""

    @hookimpl
    def kdbench_datasets(self) -> list[Offer[Dataset]]:
        return [Offer("shapes", Shapes, "squares and circles")]

    @hookimpl
    def kdbench_teachers(self) -> list[Offer[Teacher]]:
        return [Offer("lens", lens), Offer("tutor", tutor)]

    @hookimpl
    def kdbench_students(self) -> list[Offer[Student]]:
        return [Offer("pebble", pebble)]

    @hookimpl
    def kdbench_objectives(self) -> list[Offer[Objective]]:
        return [Offer("cosine", cosine)]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C is heard here and by processes begun from here, also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Runs `kdbench` with arguments in this process, in an empty folder: exit code, standard output, standard error."""
    from kdbench.cli import main

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which the command replaces
    monkeypatch.setenv("KDBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kdbench", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as error:
            code = error.code or 0
        assert isinstance(code, int)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def plugins() -> Plugins:
    """Tiny plugins and the real strategies."""
    found = Plugins()
    found.register(Tiny(), "tests:tiny")
    for module in (retrieval, equal, fixed, ammkd):
        found.register(module, f"kdbench:{module.__name__.rpartition('.')[2]}")
    return found


@pytest.fixture
def suite_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes the tiny suite, parts of it replaced: `suite_file(("seeds: [0, 1]", "seeds: [0]"))`."""

    def write(*edits: tuple[str, str]) -> Path:
        text = SUITE
        for old, new in edits:
            assert text.count(old) == 1, f"{old!r} is not in the suite exactly once"
            text = text.replace(old, new)
        path = tmp_path / "suite.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def spec() -> Callable[..., RunSpec]:
    """A literal RunSpec with some of its fields changed."""
    return literal_spec


@pytest.fixture
def distribution(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a distribution with one plugin as pip would install it: `distribution("acme", "def kdbench_…")`.

    Returns the folder to put on the path. The entry point is called `plugin`.
    """

    def write(name: str, source: str) -> Path:
        site = tmp_path / f"site-{name}"
        describe(site, name, plugin=f"{name}_plugin")
        (site / f"{name}_plugin.py").write_text(f"from kdbench import Offer, hookimpl\n{source}\n")
        return site

    return write


RETRIEVAL = {"name": "retrieval", "use": "retrieval", "defaults": {"recall_at": [1, 5, 10]}}
SHAPES = {"colours": 3, "folder": "here"}
PEBBLE = {"width": 8, "shade": "grey"}


def literal_spec(**changes: Any) -> RunSpec:
    fields: dict[str, Any] = {
        "suite": "tiny",
        "task": RETRIEVAL | {"params": {"recall_at": [1, 5]}},
        "dataset": {"name": "shapes", "use": "shapes", "params": {"colours": 3, "folder": "here"}, "defaults": SHAPES},
        "student": {"name": "pebble", "use": "pebble", "params": PEBBLE, "defaults": PEBBLE},
        "team": [
            {"name": "a", "use": "lens", "params": {"focal": 35.0, "coated": False}, "defaults": {"coated": False}},
            {"name": "b", "use": "lens", "params": {"focal": 50.0, "coated": False}, "defaults": {"coated": False}},
        ],
        "strategy": {"name": "equal", "use": "equal"},
        "objective": [{"name": "cosine", "use": "cosine", "params": {"power": 1.0}, "defaults": {"power": 1.0}}],
        "train": {"epochs": 2, "batch_size": 8, "lr": 1e-3, "distill": 1.0, "checkpoint_every": 100},
        "evaluate": {"every": 1},
        "seed": 0,
    }
    return RunSpec(**fields | changes)


@pytest.fixture
def record() -> Callable[..., Record]:
    """What a run might have recorded: `record(spec, rsum=120.0)`; any other field of a record can be given too."""

    def make(spec: RunSpec, rsum: float = 100.0, **changes: Any) -> Record:
        metrics = {f"{of}_retrieval_recall@{k}": rsum / 400 for of in ("image", "text") for k in (1, 5)}
        fields: dict[str, Any] = {
            "run_id": spec.run_id,
            "cell_id": spec.cell_id,
            "label": spec.label,
            "status": "ok",
            "spec": spec,
            "metrics": metrics | {"rsum": rsum, "mean_recall": rsum / 4},
            "steps": 10,
            "weights": {name: 1 / len(spec.team) for name in spec.teachers},
            "sizes": {"images": 10, "captions": 10, "concepts": 10},
            "dataset_digest": "d" * 64,
            "timings": {"teacher": 1.0, "train": 8.0, "evaluate": 2.0},
            "versions": {"python": "3.11.4"},
            "commit": None,
            "dirty": None,
            "host": {"id": "0a1b2c3d"},
            "device": "cpu",
            "threads": 1,
            "started": "2025-01-01T00:00:00Z",
            "finished": "2025-01-01T00:00:10Z",
        }
        return Record(**fields | changes)

    return make
