"""Metrics of retrieval by judgments, under the names of the package eccv_caption with the direction added."""

from __future__ import annotations

from kdbench.contracts import Metric

HEADLINE = "eccv_map_at_r"
DIRECTIONS = ("i2t", "t2i")
RECALL_AT = (1, 5, 10)  # of CxC


def metrics() -> tuple[Metric, ...]:
    """The mean of ECCV Caption's mAP@R both ways, then each direction; raw values are fractions."""
    both = _metric(HEADLINE, "ECCV mAP@R", "Mean of ECCV Caption's mAP@R of images and of captions.", 9)
    found = [both]
    for way in DIRECTIONS:
        of = f"of {'images among captions' if way == 'i2t' else 'captions among images'}"
        found += [
            _metric(f"eccv_map_at_r_{way}", f"{way} mAP@R", f"ECCV Caption's mAP@R {of}.", 8),
            _metric(f"eccv_rprecision_{way}", f"{way} R-P", f"ECCV Caption's R-Precision {of}.", 0, shown=False),
            _metric(f"eccv_r1_{way}", f"{way} ECCV R@1", f"ECCV Caption's R@1 {of}.", 7),
            *(
                _metric(f"cxc_r{k}_{way}", f"{way} CxC R@{k}", f"R@{k} {of} by CxC's judgments.", 6, shown=k == 1)
                for k in RECALL_AT
            ),
        ]
    return tuple(found)


def _metric(name: str, label: str, meaning: str, priority: int, shown: bool = True) -> Metric:
    return Metric(
        name,
        label,
        "%",
        scale=100.0,
        headline=name == HEADLINE,
        best=1.0,
        worst=0.0,
        priority=priority,
        shown=shown,
        group="judged",
        meaning=meaning,
    )
