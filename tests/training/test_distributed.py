"""Several processes share one run: what they compute is what one computes, and none waits for one that has gone."""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import tests.support.failing_ranks as failing_ranks
import tests.support.ranked as ranked
from kdbench import KdbenchError, Progress
from kdbench.engines.torchrun import execute_rank
from kdbench.plugins.library_warnings import LibraryWarning
from kdbench.runs.execute import execute
from kdbench.tasks.retrieval.stored import StoredEmbeddings
from kdbench.training.distributed import ALONE, Rank, World, synchronised
from kdbench.training.launch import launch
from kdbench.training.team import TeamTeacher
from tests.support.patience import PATIENCE
from tests.support.ranked import OBJECTIVES, STRATEGIES, STUDENTS, Case, Training, lonely
from tests.support.toys import encoded, plugged, run_context, run_spec, stored, toy, toy_plugins

TOLERANCE = 1e-5
CASES: list[Case] = [
    *((s, o, w, b) for s, o, w, b in product(["float32", "float64"], OBJECTIVES, ["ammkd", "equal"], [6, 5])),
    *(("float64", "relational_kl", strategy, batch) for strategy in STRATEGIES for batch in (6, 7, 2)),
    *(
        (student, "feature", strategy, batch)
        for student in STUDENTS
        for strategy in ("ammkd", "parameters")
        for batch in (5, 8)
    ),
    *((student, "", "", 5) for student in STUDENTS),
]
FEW: list[Case] = [
    *(("float64", objective, "ammkd", batch) for objective in OBJECTIVES for batch in (5, 2)),
    *((student, "feature", "parameters", batch) for student in STUDENTS for batch in (7, 2)),
    ("float64", "relational_kl", "per sample", 2),
]


@pytest.mark.parametrize("size", range(1, 6))
@pytest.mark.parametrize("total", [0, 1, 2, 5, 12, 13])
def test_shares_are_the_whole_once_and_nearly_equal(size: int, total: int) -> None:
    shares = [World(rank, size).share(total) for rank in range(size)]
    assert [row for share in shares for row in range(total)[share]] == list(range(total))
    lengths = [share.stop - share.start for share in shares]
    assert max(lengths) - min(lengths) <= 1
    for rank, length in enumerate(lengths):
        world = World(rank, size)
        read = range(total)[world.read(total)]
        assert list(read) == (list(range(total)[world.share(total)]) if length else [0][:total])
        values = torch.arange(total, dtype=torch.float32)[:, None] + 1
        assert world.own(values)[:, 0].tolist() == ([row + 1 for row in read] if length else [0.0] * min(1, total))


def test_a_world_of_one_exchanges_nothing() -> None:
    assert lonely(torch.arange(3.0))
    values = object()
    assert ALONE.broadcast(values) is values
    with Rank().joined("cpu") as world:
        assert world is ALONE
    assert not torch.distributed.is_initialized()


def trainings(folder: Path) -> list[Training]:
    """A batch that every number of ranks divides but three; one that none divides; one with a rank too many; dropout."""
    # Without ids, which are read from the dataset: ranks of a run open it themselves.
    own, other = encoded(folder, toy(), "train"), encoded(folder, toy(), "validation")
    splits = replace(own, image_ids=(), caption_ids=()), replace(other, image_ids=(), caption_ids=())
    teachers = []
    for seed, name in enumerate("abc"):
        one = stored(width=6 + seed, seed=seed)
        image, text = np.resize(one.image, (32, 6 + seed)), np.resize(one.text, (48, 6 + seed))
        concepts = np.arange(16)
        teachers.append(TeamTeacher(name, StoredEmbeddings(image, text, 4.0, np.repeat(concepts, 2), np.repeat(concepts, 3))))
    return [
        Training(splits, teachers),
        Training(splits, teachers, "mtkd_rl", batch=7),
        Training(splits, teachers, "equal", batch=2, settings={"epochs": 1}),
        Training(splits, teachers, "random", dropout=0.3),
        Training(splits, teachers, batch=7, settings={"micro_batch": 2}),
    ]


Told = list[dict[str, Any]]


@pytest.fixture(scope="module", params=[2, 3], ids=["two", "three"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Told]:
    """What two ranks, or three, say of all that they have compared."""
    folder = tmp_path_factory.mktemp("ranks")
    messages: Told = []
    size: int = request.param
    # Three ranks take the batch of 7, and the one of 2, of which one of them has nothing.
    chosen = (CASES, trainings(folder)) if size == 2 else (FEW, trainings(folder)[1:3])
    launch(size, ranked.compared, (*chosen, folder), messages.append)
    return size, messages


def test_a_step_of_several_ranks_is_that_of_one_process(told: tuple[int, Told]) -> None:
    size, messages = told
    steps = [message["steps"] for message in messages if "steps" in message]
    assert len(steps) == size
    for found in steps:
        assert len(found) == len(set(CASES if size == 2 else FEW))
        worst = max(found, key=found.__getitem__)
        assert found[worst] < TOLERANCE, f"{worst}: {found[worst]}"


def test_a_training_of_several_ranks_ends_where_that_of_one_does(told: tuple[int, Told]) -> None:
    size, messages = told
    ends = [message for message in messages if "training" in message]
    assert len(ends) == (5 if size == 2 else 2) * size
    for end in ends:
        assert end["ranks"] == 0.0  # to the last bit
        if not end["dropout"]:
            assert end["losses"] < TOLERANCE
            assert end["weights"] < TOLERANCE
            assert end["best"][0] == end["best"][1]
        else:  # with dropout ranks draw for themselves
            assert end["losses"] > 1e-3
        assert end["metrics"]


def test_gradients_above_the_embeddings_are_averaged(told: tuple[int, Told]) -> None:
    """On GPUs they may differ in the last bits from rank to rank; parameters must not."""
    size, messages = told
    assert [message["above"] for message in messages if "above" in message] == [[(size - 1) / 2, None]] * size


def test_a_training_resumes_with_another_number_of_ranks(told: tuple[int, Told]) -> None:
    size, messages = told
    gaps = [message["resumed"] for message in messages if "resumed" in message]
    assert sorted(map(len, gaps)) == [1] * (size - 1) + [2]
    assert max(gap for rank in gaps for gap in rank) < TOLERANCE


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (failing_ranks.one_raises, "rank 1 of 2: ArithmeticError: the second has had enough"),
        (failing_ranks.one_dies, r"rank 1 of 2 died \(signal SIGKILL\)"),
    ],
)
def test_one_rank_ends_all_and_says_why(function: Any, expected: str) -> None:
    messages: list[Any] = []
    started = time.monotonic()
    with pytest.raises(KdbenchError, match=expected):
        launch(2, function, (), messages.append)
    assert set(messages) == {0, 1}
    assert time.monotonic() - started < PATIENCE


def test_no_rank_outlives_an_error_of_the_listener() -> None:
    processes = []

    def listen(message: tuple[int, int]) -> None:
        processes.append(message[1])
        raise InterruptedError

    with pytest.raises(InterruptedError):
        launch(1, failing_ranks.waits, (), listen)
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_run_on_two_devices_has_the_record_of_one(tmp_path: Path) -> None:
    strategy = plugged("ammkd", C=0.7)
    one, two = (run_spec(strategy=strategy, train={"devices": devices, "lr": 0.005}) for devices in (1, 2))
    assert one.run_id == two.run_id
    shown: list[Progress] = []
    epochs: list[tuple[str, int]] = []
    context = replace(
        run_context(tmp_path / "two"),
        plugins_elsewhere=toy_plugins,
        on_progress=shown.append,
        on_epoch=lambda run, epoch, _: epochs.append((run, epoch)),
    )
    expected, record = execute(one, run_context(tmp_path / "one")), execute(two, context)
    assert (record.status, record.reason) == ("ok", "")
    assert record.spec.train is not None
    assert record.spec.train.devices == 2
    assert record.metrics.keys() == expected.metrics.keys()
    assert record.weights == pytest.approx(expected.weights, abs=1e-3)
    assert record.dynamics == pytest.approx(expected.dynamics, abs=1e-3)
    assert [progress.done for progress in shown if progress.stage == "train"] == list(range(1, 13))  # of one rank alone
    assert epochs == [(two.run_id, epoch) for epoch in (1, 2, 3)]


def test_what_ends_a_run_on_its_ranks_is_recorded_as_on_one(tmp_path: Path) -> None:
    spec = run_spec(strategy=plugged("ammkd", C=0.3), train={"devices": 2})
    record = execute(spec, replace(run_context(tmp_path), plugins_elsewhere=toy_plugins))
    assert record.status == "skipped"
    assert "C = 0.3" in record.reason


def test_torchrun_is_told_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(KdbenchError, match="torchrun"):
        Rank.of_environment()
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("LOCAL_RANK", "1")
    rank = Rank.of_environment()
    assert (rank.index, rank.size, rank.init_method) == (3, 8, "env://")
    assert (rank.device("cuda"), rank.device("cpu")) == ("cuda:1", "cpu")
    with pytest.raises(KdbenchError, match=r"found 8 ranks, expected 2, the value of train\.devices"):
        execute_rank(run_spec(train={"devices": 2}), run_context(tmp_path))
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    record = execute_rank(run_spec(), run_context(tmp_path))
    assert record is not None
    assert record.status == "ok"


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, nn.LayerNorm])
def test_batch_statistics_of_shares_are_told_of(norm: type[nn.Module]) -> None:
    module = nn.Sequential(nn.Linear(2, 2), norm(2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert synchronised(module, "cpu", World(0, 2)) is module
        assert synchronised(module, "cpu", ALONE) is module
        assert synchronised(module, "cpu", World(1, 2)) is module
    found = [str(warning.message) for warning in caught]
    assert len(found) == (norm is nn.BatchNorm1d)
    assert all("BatchNorm1d" in text for text in found)
    assert all(warning.category is LibraryWarning for warning in caught)  # which the record keeps
