"""Retrieval metrics: R@K both ways under CLIP_benchmark's names, RSUM and mean recall; mAP@R and R-Precision on request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdbench.contracts import Metric

_PRIORITIES = (
    8,
    6,
    7,
    5,
    4,
    3,
)  # priorities of the columns by K, in order: in a narrow terminal the first K stays longest
_WAYS = (("t2i", "image", "texts", "texts retrieve images"), ("i2t", "text", "images", "images retrieve texts"))


def metrics(recall_at: Sequence[int], positives: bool = False) -> tuple[Metric, ...]:
    """The metrics for some K, and with `positives` those of all positives of a query.

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
            headline=True,
            best=most,
            worst=0.0,
            priority=9,
            meaning="Sum of all R@K in percent.",
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
