"""Ranks and figures against the package's arithmetic: sorted lists, one query at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kdbench.tasks.judged.judgments import SETS, Judgments, contributions, measured, problems, ranked

N, M = 9, 20
Floats = NDArray[np.float32]


def unit(rng: np.random.Generator, rows: int) -> Floats:
    drawn = rng.normal(size=(rows, 5))
    found: Floats = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return found


def judged(rng: np.random.Generator) -> dict[str, Judgments]:
    """Some queries in any order, with one to four positives, of which one may be no candidate."""
    found = {}
    for name in SETS:
        queries, candidates = (N, M) if name.endswith("i2t") else (M, N)
        chosen = rng.permutation(queries)[: queries - 3]
        positives = [rng.permutation(candidates)[: rng.integers(1, 5)] for _ in chosen]
        if name == "eccv_i2t":
            positives[1] = np.array([*positives[1], -1])
        found[name] = Judgments(chosen, positives)
    return found


def by_sorted_lists(images: Floats, captions: Floats, of: dict[str, Judgments]) -> dict[str, float]:
    """As `compute_eccv_metrics` and `compute_r_at_k` of eccv_caption 0.1.0 compute them."""
    found: dict[str, list[float]] = {}
    for name, judgments in of.items():
        way = name[-3:]
        scores = images @ captions.T if way == "i2t" else captions @ images.T
        for query, positives in zip(judgments.queries.tolist(), judgments.positives, strict=True):
            retrieved, matched = np.argsort(-scores[query]).tolist(), set(positives.tolist())
            if name.startswith("cxc"):
                for k in (1, 5, 10):
                    found.setdefault(f"cxc_r{k}_{way}", []).append(float(bool(set(retrieved[:k]) & matched)))
                continue
            precisions = [len(set(retrieved[:r]) & matched) / r for r in range(1, len(matched) + 1)]
            hits = [precision * (retrieved[r] in matched) for r, precision in enumerate(precisions)]
            found.setdefault(f"eccv_r1_{way}", []).append(float(retrieved[0] in matched))
            found.setdefault(f"eccv_rprecision_{way}", []).append(precisions[-1])
            found.setdefault(f"eccv_map_at_r_{way}", []).append(float(np.mean(hits)))
    means = {name: float(np.mean(values)) for name, values in found.items()}
    return means | {"eccv_map_at_r": (means["eccv_map_at_r_i2t"] + means["eccv_map_at_r_t2i"]) / 2}


@pytest.mark.parametrize("seed", range(4))
def test_figures_are_those_of_sorted_lists(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images, captions, of = unit(rng, N), unit(rng, M), judged(rng)
    assert list(problems(of, N, M)) == []
    found = measured(ranked(images, captions, of))
    expected = by_sorted_lists(images, captions, of)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name


def test_ties_count_against_the_model() -> None:
    same = np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (4, 1))
    of = dict.fromkeys(SETS, Judgments(np.arange(4), [np.array([place]) for place in range(4)]))
    found = ranked(same, same, of)
    assert found["cxc_i2t"].tolist() == [4] * 4
    assert measured(found)["eccv_map_at_r"] == 0


def test_a_positive_that_is_no_candidate_counts_as_not_found() -> None:
    of = dict.fromkeys(SETS, Judgments(np.array([0]), [np.array([0, -1])]))
    found = ranked(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), of)
    assert found["eccv_i2t"].tolist() == [[1, 4]]
    assert (measured(found)["eccv_rprecision_i2t"], measured(found)["eccv_r1_i2t"]) == (0.5, 1.0)


def test_contributions_average_to_the_metrics() -> None:
    rng = np.random.default_rng(7)
    of = judged(rng)
    seeds = [ranked(unit(rng, N), unit(rng, M), of) for _ in range(3)]
    units = {name: rng.integers(0, 6, len(one.queries)) * 10 for name, one in of.items()}
    found = contributions({name: np.stack([seed[name] for seed in seeds]) for name in SETS}, units)
    for place, seed in enumerate(seeds):
        for name, value in measured(seed).items():
            assert found[name][place].mean() == pytest.approx(100 * value), name
    assert {values.shape for values in found.values()} == {(3, len(np.unique(np.concatenate(list(units.values())))))}


ONE = Judgments(np.array([0, 2]), [np.array([1]), np.array([0, 3])])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (lambda _: None, ("judgments", "NoneType", "a map of eccv_i2t, eccv_t2i, cxc_i2t, cxc_t2i")),
        (lambda _: {"eccv_i2t": ONE}, ("judgments", "eccv_i2t", "a map of eccv_i2t, eccv_t2i, cxc_i2t, cxc_t2i")),
        (
            lambda it: it | {"cxc_t2i": Judgments(np.array([0, 0]), ONE.positives)},
            ("judgments, cxc_t2i", "queries that repeat or are not in the split", "positions from 0 to 3, each once"),
        ),
        (
            lambda it: it | {"cxc_i2t": Judgments(np.array([0, 4]), ONE.positives)},
            ("judgments, cxc_i2t", "queries that repeat or are not in the split", "positions from 0 to 3, each once"),
        ),
        (
            lambda it: it | {"eccv_i2t": Judgments(np.array([0]), ONE.positives)},
            ("judgments, eccv_i2t", "1 queries and 2 lists of positives", "one list for each query"),
        ),
        (
            lambda it: it | {"eccv_i2t": Judgments(np.array([1]), [np.array([2, 2])])},
            ("judgments, eccv_i2t, query 1", "2 positives", "1 to 64 candidates, each once"),
        ),
        (
            lambda it: it | {"eccv_t2i": Judgments(np.array([1]), [np.array([-1])])},
            ("judgments, eccv_t2i, query 1", "1 positives", "1 to 64 candidates, each once"),
        ),
        (
            lambda it: it | {"eccv_t2i": Judgments(np.array([1]), [np.array([0, 4])])},
            ("judgments, eccv_t2i, query 1", "a positive that is not in the split", "positions from 0 to 3, or -1"),
        ),
    ],
)
def test_wrong_judgments_are_named(changed: Callable[[Any], Any], expected: tuple[str, str, str]) -> None:
    right = dict.fromkeys(SETS, ONE)
    assert list(problems(right, 4, 4)) == []
    assert list(problems(changed(right), 4, 4)) == [expected]
