"""What only the arrays beside a record show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench.records.files import read_record
from kdbench.records.sources import Disk, RecordFile
from kdbench.records.verify import usable, verify
from kdbench.records.verify.stored_arrays import checked_arrays
from kdbench.storage.digest import file_digest
from kdbench.tasks.retrieval import Retrieval
from tests.support.made_records import Damage, arrays_path, check_refused, cut, edit, made, oracle, set_in, some_ranks, whats
from tests.support.regression_task import Regression


def one_higher(path: Path) -> None:
    """One metric, its sums adjusted: only the ranks can tell."""

    def change(record: dict[str, Any]) -> None:
        metrics = record["metrics"]
        metrics["image_retrieval_recall@1"] += 1e-8
        shares = [value for name, value in metrics.items() if "@" in name]
        metrics.update(rsum=100 * sum(shares), mean_recall=100 * sum(shares) / len(shares))

    edit(path, change)


def other_arrays(**arrays: Any) -> Damage:
    """Whatever is written is what the record vouches for."""

    def damage(path: Path, _: list[Path]) -> None:
        whole: dict[str, Any] = {name: np.array(values) for name, values in arrays.items()}
        np.savez_compressed(arrays_path(path), **whole)
        edit(path, lambda record: record.update(arrays_sha256=file_digest(arrays_path(path))))

    return damage


TEXT, IMAGE = some_ranks(1)["text"].tolist(), some_ranks(1)["image"].tolist()
DAMAGES: dict[str, tuple[Damage, str]] = {
    "metrics that agree among themselves": (
        lambda path, _: one_higher(path),
        "metrics.image_retrieval_recall@1 does not follow from the arrays",
    ),
    "ranks cut short": (lambda path, _: cut(arrays_path(path)), "arrays unusable"),
    "no ranks": (lambda path, _: arrays_path(path).unlink(), "arrays unusable"),
    "fewer ranks": (other_arrays(text=TEXT[:-1], image=IMAGE), "text ranks"),
    "a rank of 0": (other_arrays(text=[0, *TEXT[1:]], image=IMAGE), "text ranks out of range"),
    "a rank above the candidates": (other_arrays(text=TEXT, image=[21, *IMAGE[1:]]), "image ranks out of range"),
    "a rank that no integer holds": (other_arrays(text=np.array(TEXT, np.uint64) + 2**63, image=IMAGE), "arrays unusable"),
    "ranks that are no whole numbers": (other_arrays(text=np.array(TEXT) + 0.5, image=IMAGE), "text ranks"),
    "ranks that are not finite": (other_arrays(text=np.full(20, np.inf), image=IMAGE), "arrays unusable"),
    "ranks in two dimensions": (other_arrays(text=[TEXT], image=IMAGE), "text ranks"),
    "pickled ranks": (other_arrays(text=np.array([{}] * 20, dtype=object), image=IMAGE), "arrays unusable"),
    "ranks one way": (other_arrays(text=TEXT), "arrays"),
    "ranks a third way": (other_arrays(text=TEXT, image=IMAGE, sound=TEXT), "arrays"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_wrong_is_named_and_the_rest_stays_usable(name: str, tmp_path: Path) -> None:
    check_refused(tmp_path, *DAMAGES[name])


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    path = made(tmp_path)
    DAMAGES["pickled ranks"][0](path, [])
    monkeypatch.setattr(pickle, "load", refuse)
    assert whats(verify([tmp_path])[1]) == ["arrays unusable"]


def test_arrays_that_would_unpack_to_much_more_than_the_record_says_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path)
    other_arrays(text=np.zeros(10**6, np.int64), image=IMAGE)(path, [])
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))
    _, (problem,) = verify([tmp_path])
    assert "'text.npy': 8000128" in problem.found


def test_the_light_look_leaves_arrays_alone(tmp_path: Path) -> None:
    path = made(tmp_path)
    one_higher(path)
    assert usable([tmp_path])[1] == []
    assert whats(usable([tmp_path], deep=True)[1])[0] == "metrics.image_retrieval_recall@1 does not follow from the arrays"


def test_metrics_are_held_to_a_billionth(tmp_path: Path) -> None:
    path = made(tmp_path)
    for off, fine in ((5e-10, True), (2e-9, False)):
        set_in("metrics", "rsum", to=oracle(some_ranks(0))["rsum"] + off)(path, [])
        assert (verify([tmp_path])[1] == []) is fine


def test_arrays_on_which_a_task_fails_are_told(tmp_path: Path) -> None:
    """A task of a third party may check less than it reads."""

    class Careless(Retrieval):
        def problems(self, arrays: Any, sizes: Any) -> Iterator[tuple[str, str, str]]:  # noqa: ARG002
            return iter(())

        def measure(self, arrays: Any) -> dict[str, float]:  # noqa: ARG002
            raise KeyError("sound")

    path = made(tmp_path)
    arrays, (problem,) = checked_arrays(read_record(path), RecordFile(Disk(), path.as_posix()), Careless())
    assert arrays == {}
    assert (problem.what, problem.found) == ("arrays that their task cannot read", "KeyError: 'sound'")


def test_an_array_that_nothing_reads_is_told() -> None:
    """Beside the arrays of a task that checks nothing itself, any others passed."""
    sizes, task = {"vectors": 3}, Regression()
    arrays = {name: np.ones(3) for name in ("mse", "mae")}
    assert list(task.problems(arrays, sizes)) == []
    assert list(task.problems(arrays | {"more": np.ones(2)}, sizes)) == [
        ("array more", "an array that nothing reads", "one of mae, mse")
    ]
    assert list(task.unit_problems({"mse": np.arange(3)}, sizes)) == []
    assert [what for what, _, _ in task.unit_problems({"mse": np.arange(3), "more": np.arange(3)}, sizes)] == ["units more"]
