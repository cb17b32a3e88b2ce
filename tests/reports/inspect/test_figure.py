"""A run as a figure."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdbench import KdbenchError
from kdbench.records.files import read_trace
from kdbench.reports.inspect import draw
from kdbench.reports.inspect.curves import read_curves
from kdbench.reports.inspect.figure import figure_of
from kdbench.reports.palette import COLOURS


def axes_of(path: Path) -> list[Any]:
    return list(figure_of(read_curves(path)).axes)


def curves_of(axes: Any) -> dict[str, list[float]]:
    return {
        line.get_label(): [float(value) for value in line.get_ydata()]
        for line in axes.lines
        if len(line.get_xdata()) > 2  # and not a rule across the panel
    }


def test_panels_hold_the_trace(runs: dict[str, Path]) -> None:
    trace = read_trace(runs["three"])
    weights, entropy, cosines, losses = panels = axes_of(runs["three"])
    assert curves_of(weights) == trace.weights
    (evenness,) = curves_of(entropy).values()
    np.testing.assert_allclose(evenness, np.array(trace.entropy) / math.log(3), rtol=1e-12)
    assert curves_of(cosines) == trace.cosines
    assert list(curves_of(losses).values()) == [trace.loss, trace.task]
    for axes in panels:
        assert all(list(line.get_xdata()) == trace.step for line in axes.lines if len(line.get_xdata()) > 2)
        assert axes.get_ylabel()
        assert axes.get_title(loc="left")
    assert losses.get_xlabel() == "step (a point for each step)"
    assert "toy · a+b+c · ammkd · seed 0" in figure_of(read_curves(runs["three"])).get_suptitle()
    assert [text.get_text() for text in weights.get_legend().get_texts()] == ["a", "b", "c", "equal weights, 1/3"]


def test_many_pairs_are_summed_up(runs: dict[str, Path]) -> None:
    trace = read_trace(runs["five"])
    cosines = axes_of(runs["five"])[2]
    columns = np.array(list(trace.cosines.values()))
    shown = curves_of(cosines)
    np.testing.assert_allclose(shown["their mean"], columns.mean(axis=0), atol=1e-12)
    (worst,) = (name for name in shown if name.endswith(", lowest on average"))
    assert trace.cosines[worst.removesuffix(", lowest on average")] == columns[columns.mean(axis=1).argmin()].tolist()
    vertices = cosines.collections[0].get_paths()[0].vertices
    assert vertices[:, 1].min() == columns.min()
    assert vertices[:, 1].max() == columns.max()


def test_own_figures_of_one_kind_share_a_panel(runs: dict[str, Path]) -> None:
    axes = axes_of(runs["swings"])
    assert [panel.get_ylabel() for panel in axes[4:]] == ["P", "reward", "late"]
    assert list(curves_of(axes[4])) == ["P(a)", "P(b)"]
    late = curves_of(axes[6])["late"]
    assert np.isnan(late[:6]).all()
    assert late[6:] == [10.0 * step for step in range(7, 13)]
    # A figure of each teacher has that teacher's colour, any other none of theirs.
    colours = [[line.get_color() for line in panel.lines if len(line.get_xdata()) > 2] for panel in axes]
    assert colours[4] == colours[0] == list(COLOURS[:2])
    assert not set(colours[5]) & set(colours[0])
    assert not set(colours[2]) & set(colours[0])


def test_pictures_without_weights(runs: dict[str, Path]) -> None:
    for name, said, lines in [("one", "One teacher, a", 2), ("none", "No distillation", 1)]:
        figure = figure_of(read_curves(runs[name]))
        (losses,) = figure.axes
        assert len(curves_of(losses)) == lines
        assert said in figure.get_suptitle()


def test_names_are_not_mathematics(by_hand: Callable[..., Path], tmp_path: Path) -> None:
    columns: dict[str, Any] = {"step": [1, 2], "loss": [2.0, 1.0], "task": [1.0, 0.5], "entropy": [0.5, 0.6]}
    names = ("$x_{", "a$\\frac")
    path = by_hand(
        weights={name: [0.5, 0.5] for name in names},
        cosines={" · ".join(names): [0.5, -0.5]},
        conflict=[0, 1],
        report={"$\\bad": [1.0, 2.0]},
        **columns,
    )
    draw(path, tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 10_000


def test_a_picture_is_written_without_pyplot(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    path = tmp_path / "picture.png"
    draw(runs["three"], path)
    first = path.read_bytes()
    width, height = struct.unpack(">II", first[16:24])
    assert width == 1500
    assert height > width / 2
    seen = {tuple(pixel) for pixel in np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)}
    teachers = {tuple(bytes.fromhex(colour[1:])) for colour in COLOURS[:3]}
    assert teachers <= seen
    draw(runs["three"], path)
    assert path.read_bytes() == first


@pytest.mark.parametrize("name", ["nowhere/p.png", "p.nonesuch"])
def test_a_picture_that_cannot_be_written(name: str, runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match="the figure cannot be written"):
        draw(runs["none"], tmp_path / name)
