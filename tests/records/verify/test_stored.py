"""What only the files beside a record show: its ranks and its series."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench.records.record import ranks_path, series_path
from kdbench.records.verify import usable, verify
from kdbench.storage.digest import file_digest
from tests.support.made_records import Damage, check_refused, cut, edit, made, oracle, set_in, some_ranks, whats


def one_higher(path: Path) -> None:
    """One metric, its sums adjusted: only the ranks can tell."""

    def change(record: dict[str, Any]) -> None:
        metrics = record["metrics"]
        metrics["image_retrieval_recall@1"] += 1e-8
        shares = [value for name, value in metrics.items() if "@" in name]
        metrics.update(rsum=100 * sum(shares), mean_recall=100 * sum(shares) / len(shares))

    edit(path, change)


def other_ranks(text: Any, image: Any) -> Damage:
    """Whatever is written is what the record vouches for."""

    def damage(path: Path, _: list[Path]) -> None:
        np.savez_compressed(ranks_path(path), text=np.array(text), image=np.array(image))
        edit(path, lambda record: record.update(ranks_sha256=file_digest(ranks_path(path))))

    return damage


def series_edited(change: Callable[[dict[str, Any]], object]) -> Damage:
    """With the record's sum of it brought up to date."""

    def damage(path: Path, _: list[Path]) -> None:
        edit(series_path(path), change)
        edit(path, lambda record: record.update(series_sha256=file_digest(series_path(path))))

    return damage


TEXT, IMAGE = some_ranks(1).text.tolist(), some_ranks(1).image.tolist()
DAMAGES: dict[str, tuple[Damage, str]] = {
    "metrics that agree among themselves": (
        lambda path, _: one_higher(path),
        "metrics.image_retrieval_recall@1 does not follow from the ranks",
    ),
    "ranks cut short": (lambda path, _: cut(ranks_path(path)), "ranks unusable"),
    "no ranks": (lambda path, _: ranks_path(path).unlink(), "ranks unusable"),
    "fewer ranks": (other_ranks(TEXT[:-1], IMAGE), "text ranks"),
    "a rank of 0": (other_ranks([0, *TEXT[1:]], IMAGE), "text ranks out of range"),
    "a rank above the candidates": (other_ranks(TEXT, [21, *IMAGE[1:]]), "image ranks out of range"),
    "a rank that no integer holds": (other_ranks(np.array(TEXT, np.uint64) + 2**63, IMAGE), "ranks unusable"),
    "ranks that are no whole numbers": (other_ranks(np.array(TEXT) + 0.5, IMAGE), "ranks unusable"),
    "ranks in two dimensions": (other_ranks([TEXT], IMAGE), "ranks unusable"),
    "pickled ranks": (other_ranks(np.array([{}] * 20, dtype=object), IMAGE), "ranks unusable"),
    "a weight a little off": (set_in("weights", "a", to=6.75 / 12 + 1e-5), "weights.a does not follow from the series"),
    "the dynamics": (set_in("dynamics", "gradient_cosine", to=0.5), "dynamics.gradient_cosine does not follow from the series"),
    "a series swapped": (
        lambda path, others: shutil.copy(series_path(others[0]), series_path(path)),
        "series unusable",
    ),
    "a series from nowhere": (set_in("series_sha256", to=None), "a series that its record does not know"),
    "a series shorter": (
        series_edited(lambda series: series.update(step=[5, 10, 11])),
        "the last step",
    ),
    "a series that stands still": (
        series_edited(lambda series: series.update(step=[5, 5, 12])),
        "series unusable",
    ),
    "a series without steps": (series_edited(lambda series: series.pop("step")), "series unusable"),
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
    assert whats(verify([tmp_path])[1]) == ["ranks unusable"]


def test_ranks_that_would_unpack_to_much_more_than_the_record_says_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path)
    other_ranks(np.zeros(10**6, np.int64), IMAGE)(path, [])
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))
    _, (problem,) = verify([tmp_path])
    assert "'text.npy': 8000128" in problem.found


def test_the_light_look_leaves_ranks_alone(tmp_path: Path) -> None:
    path = made(tmp_path)
    one_higher(path)
    assert usable([tmp_path])[1] == []
    assert whats(usable([tmp_path], deep=True)[1])[0] == "metrics.image_retrieval_recall@1 does not follow from the ranks"


def test_metrics_are_held_to_a_billionth(tmp_path: Path) -> None:
    path = made(tmp_path)
    for off, fine in ((5e-10, True), (2e-9, False)):
        set_in("metrics", "rsum", to=oracle(some_ranks(0))["rsum"] + off)(path, [])
        assert (verify([tmp_path])[1] == []) is fine
