"""Forecasters of another form than the dataset are refused with their place in the suite, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.errors import SuiteError
from kdbench.plugins.loading import installed
from kdbench.suite.check import load_suite

SUITE = """\
name: forms
seeds: [0]
datasets: [{use: navier_stokes, grid: 16, history: 4, horizon: 3}]
students:
  - {use: mlp_mixer, width: 4, depth: 1, grid: 16, history: 4, horizon: 3}
teachers:
  a:
    use: trained_forecaster
    forecaster: {use: unet, width: 2, depth: 1, history: 4, horizon: 3}
  b:
    use: trained_forecaster
    forecaster: {use: unet, width: 2, depth: 1, history: 4, horizon: 3}
    teachers:
      c: {use: trained_forecaster, forecaster: {use: unet, width: 2, history: 4, horizon: 3, depth: 2}}
teams: [[], [a, b]]
strategies: [equal]
objective: [field_mse]
train: {batch_size: 4}
variants:
  same: {}
"""


def refused(folder: Path, *edits: tuple[str, str]) -> str:
    text = SUITE
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path = folder / "forms.yaml"
    path.write_text(text)
    with pytest.raises(SuiteError) as raised:
        load_suite(path, installed(), deep=True)
    return str(raised.value).replace(f"{folder}/", "")


def test_every_place_is_told_in_one_report(tmp_path: Path) -> None:
    found = refused(
        tmp_path,
        ("grid: 16, history: 4, horizon: 3}\nteachers", "grid: 32, history: 4, horizon: 3}\nteachers"),
        ("depth: 1, history: 4, horizon: 3}\n  b", "depth: 1, history: 4, horizon: 5}\n  b"),
        ("history: 4, horizon: 3, depth: 2", "history: 4, horizon: 3, depth: 5"),
    )
    assert found.split("\n") == [
        "forms.yaml:5: students[0].grid",
        "  found     [32, 32]",
        "  expected  [16, 16], as navier_stokes has",
        "forms.yaml:9: teachers.a.forecaster.horizon",
        "  found     5",
        "  expected  3, as navier_stokes has",
        "forms.yaml:14: teachers.b.teachers.c.forecaster",
        "  UNet: found fields on 16 × 16 points; expected sides of at least 1, multiples of 32",
    ]


def test_students_of_a_variant_are_compared_too(tmp_path: Path) -> None:
    found = refused(tmp_path, ("same: {}", "other: {students: [{use: unet, history: 4, horizon: 2}]}"))
    assert found == ("forms.yaml:20: variants.other.students[0].horizon\n  found     2\n  expected  3, as navier_stokes has")
