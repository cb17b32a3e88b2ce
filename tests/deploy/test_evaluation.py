"""`kdbench.evaluate`: named or built models on a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kdbench
from kdbench import KdbenchError
from kdbench.plugins.building import build, building_with
from tests.support.toys import Sage, rank_split, toy, toy_plugins
from tests.support.toys import encoded as encoded_toy

BEADS = {"use": "beads", "seed": 3}


def test_a_teacher_by_spec_and_as_an_object(tmp_path: Path) -> None:
    plugins, cache = toy_plugins(), tmp_path / "cache"
    by_spec = kdbench.evaluate({"use": "sage", "width": 7, "seed": 2}, BEADS, cache=cache, device="cpu", plugins=plugins)
    built = kdbench.evaluate(Sage(width=7, seed=2), BEADS, cache=tmp_path / "other", device="cpu", plugins=plugins)
    assert by_spec.metrics == built.metrics
    assert set(by_spec.arrays) == {"text", "image"}
    assert by_spec.task.measure(by_spec.arrays) == by_spec.metrics
    assert by_spec.shown["RSUM"] == by_spec.metrics["rsum"]
    assert by_spec.lines()[-2].split() == ["RSUM", f"{by_spec.metrics['rsum']:.1f}", "points"]


def test_a_student_of_ones_own(tmp_path: Path) -> None:
    student = toy()
    found = kdbench.evaluate(student, "beads", cache=tmp_path / "cache", device="cpu", plugins=toy_plugins())
    expected = rank_split(student, encoded_toy(tmp_path, student, "test"))
    np.testing.assert_array_equal(found.arrays["text"], expected.text)
    np.testing.assert_array_equal(found.arrays["image"], expected.image)


def test_settings_of_the_task_and_the_split(tmp_path: Path) -> None:
    plugins, cache = toy_plugins(), tmp_path / "cache"
    named: dict[str, Any] = {"cache": cache, "device": "cpu", "plugins": plugins}
    found = kdbench.evaluate({"use": "sage"}, BEADS, split="validation", settings={"recall_at": [2]}, **named)
    assert "text_retrieval_recall@2" in found.metrics
    with building_with(plugins):
        dataset = build("dataset", BEADS)
    assert len(found.arrays["text"]) == len(dataset.split("validation").images)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"model": {"use": "sag"}}, "did you mean 'sage'?"),
        ({"model": {"width": 3}}, "expected a name or a map such as {use: NAME, …}"),
        ({"dataset": "bead"}, "did you mean 'beads'?"),
        ({"dataset": {"use": "beads", "sed": 1}}, "did you mean 'seed'?"),
        ({"split": "train"}, "split: found 'train', expected test or validation"),
        ({"settings": {"recal_at": [1]}}, "did you mean 'recall_at'?"),
        ({"settings": {"recall_at": []}}, "recall_at"),
    ],
)
def test_what_does_not_fit(arguments: dict[str, Any], told: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "model": {"use": "sage"},
        "dataset": "beads",
        "cache": tmp_path / "cache",
        "plugins": toy_plugins(),
    } | arguments
    with pytest.raises(KdbenchError) as error:
        kdbench.evaluate(given.pop("model"), given.pop("dataset"), **given)
    assert told in str(error.value)
    assert not (tmp_path / "cache").exists()
