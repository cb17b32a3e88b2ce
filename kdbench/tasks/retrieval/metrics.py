"""Retrieval metrics: R@K both ways under CLIP_benchmark's names, RSUM, mean recall and mean log-rank; mAP@R and R-Precision on
request."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

from kdbench.contracts import Metric

MARGIN = 0.03  # of the mean log-rank: 3 % of the geometric mean rank
Primary = Literal["rsum", "log_rank"]
_PRIORITIES = (
    8,
    6,
    7,
    5,
    4,
    3,
)  # priorities of the columns by K, in order: in a narrow terminal the first K stays longest
_WAYS = (("t2i", "image", "texts", "texts retrieve images"), ("i2t", "text", "images", "images retrieve texts"))


def metrics(recall_at: Sequence[int], positives: bool = False, primary: Primary = "rsum") -> tuple[Metric, ...]:
    """The metrics for some K, and with `positives` those of all positives of a query; `primary` is the headline.

    `image_retrieval_recall@K` is text to image (t2i), `text_retrieval_recall@K` image to text (i2t); raw
    values are fractions.
    """
    shares = [
        Metric(
            f"{target}_retrieval_recall@{k}",
            f"{way} R@{k}",
            "%",
            scale=100.0,
            best=1.0,
            worst=0.0,
            priority=dict(zip(recall_at, _PRIORITIES, strict=False)).get(k, 2),
            group=way,
            meaning=f"Percentage of {queries} with a match among the first {k}: {way_in_words}.",
        )
        for way, target, queries, way_in_words in _WAYS
        for k in recall_at
    ]
    most = 100.0 * len(shares)
    return (
        *shares,
        Metric(
            "rsum",
            "RSUM",
            "points",
            headline=primary == "rsum",
            best=most,
            worst=0.0,
            priority=9,
            meaning="Sum of all R@K in percent.",
            margin=3.0,
        ),
        Metric(
            "log_rank",
            "mean log-rank",
            higher_is_better=False,
            headline=primary == "log_rank",
            best=0.0,
            decimals=3,
            priority=9 if primary == "log_rank" else 1,
            meaning="Mean of ln(retrieval rank) over queries, averaged over both directions; e to its power is the geometric "
            "mean of ranks.",
            required=False,
            inverse=math.exp,
            inverse_label="rank",
            margin=MARGIN,
        ),
        Metric("mean_recall", "mean recall", "%", best=100.0, worst=0.0, shown=False, meaning="Mean of all R@K in percent."),
        *(_of_positives() if positives else ()),
    )


def _of_positives() -> Iterator[Metric]:
    for name, label, meaning in (
        ("map@r", "mAP@R", "Mean over {} of (1/R) Σ P@k over the ranks k ≤ R of matches, R being their number: {}."),
        ("r_precision", "R-Precision", "Mean over {} of the share of matches among the first R, R being their number: {}."),
    ):
        for way, target, queries, way_in_words in _WAYS:
            yield Metric(
                f"{target}_retrieval_{name}",
                f"{way} {label}",
                "%",
                scale=100.0,
                best=1.0,
                worst=0.0,
                priority=2,
                meaning=meaning.format(queries, way_in_words),
            )
