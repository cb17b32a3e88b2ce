"""Metrics of retrieval by judgments."""

from __future__ import annotations

from kdbench.tasks.judged.metrics import metrics


def test_names_are_those_of_the_package_with_the_direction() -> None:
    found = metrics()
    assert [metric.name for metric in found if metric.headline] == ["eccv_map_at_r"]
    assert {metric.name for metric in found if metric.name.endswith("i2t")} == {
        *(f"{name}_i2t" for name in ("eccv_map_at_r", "eccv_rprecision", "eccv_r1", "cxc_r1", "cxc_r5", "cxc_r10"))
    }
    assert [metric.label for metric in found if metric.shown] == [
        "ECCV mAP@R",
        *(f"{way} {label}" for way in ("i2t", "t2i") for label in ("mAP@R", "ECCV R@1", "CxC R@1")),
    ]
