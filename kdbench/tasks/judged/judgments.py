"""Judgments of queries, the ranks that embeddings give to their positives, and what each test unit contributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.tasks.judged.metrics import DIRECTIONS, HEADLINE, RECALL_AT
from kdbench.tasks.retrieval.one_way import scores_of
from kdbench.tasks.retrieval.positives import map_at_r, r_precision, ranks_among
from kdbench.tasks.retrieval.units import Units, unit_shares

Ints = NDArray[np.int64]
SETS = ("eccv_i2t", "eccv_t2i", "cxc_i2t", "cxc_t2i")  # i2t: images are queries, captions candidates
MOST_POSITIVES = 64  # of a query, whose ranks are stored; ECCV Caption has at most 48


@dataclass(frozen=True)
class Judgments:
    """Queries and their positives, as positions of images and captions in the test split.

    `queries` [Q] are distinct; `positives` are of each query its positives among the candidates, at least one, distinct. A
    positive -1 is none of the candidates: it counts, and cannot be found.
    """

    queries: Ints
    positives: Sequence[Ints]


JudgedSets = Mapping[str, Judgments]  # by the names in SETS


def ranked(images: NDArray[Any], captions: NDArray[Any], judged: JudgedSets) -> dict[str, NDArray[np.int32]]:
    """By set, the ranks of ECCV Caption's positives, ascending, [Q, P] (zeros follow), and of CxC's best positive, [Q].

    `images` [N, d] and `captions` [M, d] are unit vectors; all of them are candidates. Ties count against the model. Raises
    ValueError for embeddings that are not finite.
    """
    return {name: _ranked(*_sides(name, images, captions), judged[name], name.startswith("eccv")) for name in SETS}


def _sides(name: str, images: Any, captions: Any) -> tuple[Any, Any]:
    """Queries and candidates of a set."""
    return (images, captions) if name.endswith("i2t") else (captions, images)


def _ranked(queries: NDArray[Any], candidates: NDArray[Any], judgments: Judgments, every: bool) -> NDArray[np.int32]:
    widest = max(map(len, judgments.positives))
    found = np.zeros((len(judgments.queries), widest), dtype=np.int32)
    for rows, scores in scores_of(queries[judgments.queries], candidates, 1024):
        for row, positives, result in zip(scores, judgments.positives[rows], found[rows], strict=True):
            mask = np.zeros(len(row), dtype=np.bool_)
            mask[positives[positives >= 0]] = True
            ranks = ranks_among(row, mask)
            result[: len(positives)] = [*ranks, *range(len(row) + 1, len(row) + 1 + len(positives) - len(ranks))]
    return found if every else found[:, 0]


def shares(arrays: Mapping[str, NDArray[Any]]) -> dict[str, tuple[str, NDArray[Any]]]:
    """Metric → its set and what each query counts, [..., Q]: a hit, or a share from 0 to 1."""
    found: dict[str, tuple[str, NDArray[Any]]] = {}
    for way in DIRECTIONS:
        eccv, cxc = f"eccv_{way}", f"cxc_{way}"
        found[f"eccv_map_at_r_{way}"] = eccv, map_at_r(arrays[eccv])
        found[f"eccv_rprecision_{way}"] = eccv, r_precision(arrays[eccv])
        found[f"eccv_r1_{way}"] = eccv, arrays[eccv][..., 0] <= 1
        found |= {f"cxc_r{k}_{way}": (cxc, arrays[cxc] <= k) for k in RECALL_AT}
    return found


def measured(arrays: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """Metric → fraction, from one evaluation's ranks."""
    found = {name: float(np.mean(values)) for name, (_, values) in shares(arrays).items()}
    return {HEADLINE: sum(found[f"{HEADLINE}_{way}"] for way in DIRECTIONS) / len(DIRECTIONS), **found}


def contributions(arrays: Mapping[str, NDArray[Any]], units: Mapping[str, Ints]) -> dict[str, NDArray[np.float64]]:
    """Metric → [S, U] in percent, from ranks stacked over seeds and the unit of each query by set.

    The mean over units equals each seed's metric; see `unit_shares`.
    """
    codes = np.unique(np.concatenate([units[name] for name in SETS]), return_inverse=True)[1]
    ends = np.cumsum([len(units[name]) for name in SETS])[:-1]
    of = dict(zip(SETS, np.split(codes, ends), strict=True))
    count = int(codes.max()) + 1
    found = {
        name: unit_shares(values, Units(of[judged], of[judged], count), "images")
        for name, (judged, values) in shares(arrays).items()
    }
    return {HEADLINE: np.mean([found[f"{HEADLINE}_{way}"] for way in DIRECTIONS], axis=0), **found}


def problems(judged: Any, images: int, captions: int) -> Iterator[tuple[str, str, str]]:
    """Yields what is wrong with the judgments of a split of N images and M captions."""
    if not isinstance(judged, Mapping) or set(judged) != {*SETS}:
        found = ", ".join(sorted(judged)) if isinstance(judged, Mapping) else type(judged).__name__
        yield "judgments", found, f"a map of {', '.join(SETS)}"
        return
    for name in SETS:
        queries, candidates = _sides(name, images, captions)
        one: Judgments = judged[name]
        where = f"judgments, {name}"
        if not len(one.queries) or len(one.queries) != len(one.positives):
            yield where, f"{len(one.queries)} queries and {len(one.positives)} lists of positives", "one list for each query"
        elif len(np.unique(one.queries)) < len(one.queries) or one.queries.min() < 0 or one.queries.max() >= queries:
            yield where, "queries that repeat or are not in the split", f"positions from 0 to {queries - 1}, each once"
        for query, positives in zip(one.queries.tolist(), one.positives, strict=False):
            there = positives[positives >= 0]
            if not 1 <= len(np.unique(there)) == len(there) or len(positives) > MOST_POSITIVES:
                yield f"{where}, query {query}", f"{len(positives)} positives", f"1 to {MOST_POSITIVES} candidates, each once"
            elif positives.min() < -1 or positives.max() >= candidates:
                expected = f"positions from 0 to {candidates - 1}, or -1"
                yield f"{where}, query {query}", "a positive that is not in the split", expected
            else:
                continue
            break
