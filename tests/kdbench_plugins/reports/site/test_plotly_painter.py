from __future__ import annotations

import json
from dataclasses import replace
from itertools import accumulate

import pytest

from kdbench.reports.board import Table
from kdbench.reports.palette import Role
from kdbench.reports.pareto import Plane
from kdbench.reports.plots import Axis, Line, Mark, Panel, Points, cost_plane, seed_spread
from kdbench.reports.plots.trace_curves import trace_curves
from kdbench_plugins.reports.site.plotly_painter import Figure, paint, plain
from tests.support.site_boards import IMAGE, SCRIPT, board_of, hostile, measured_in, planes_of


def plane_figure(plane: Plane) -> Figure:
    (panel,) = cost_plane(plane).panels
    return paint(panel)


def spread_figure(table: Table) -> Figure:
    (panel,) = seed_spread(table, 120).panels
    return paint(panel)


def test_text_for_plotly_holds_no_markup_and_reads_back() -> None:
    assert plain(SCRIPT) == "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert plain("&lt;b&gt;") == "&amp;lt;b&amp;gt;"


def test_a_plane_has_all_points_with_their_intervals_and_the_front_as_a_line() -> None:
    board = board_of(measured_in("emoji"))
    (plane,) = planes_of(board)
    low, high, line, behind, others, front, levels = plane_figure(plane)["traces"]
    best = [point for point in plane.points if point.best]
    assert front["x"] == [point.cost for point in best]
    assert front["y"] == [point.value.mean for point in best]
    for way in ("array", "arrayminus"):
        assert front["error_y"][way] == pytest.approx([point.value.half for point in best])
    assert front["mode"] == "markers"
    assert (line["mode"], line["line"]["shape"]) == ("lines", "hv")
    assert (line["x"], line["y"]) == (front["x"], front["y"])
    better = max if plane.metric.higher_is_better else min
    assert low["y"] == [*accumulate((point.value.low for point in best), better)]
    assert high["y"] == [*accumulate((point.value.high for point in best), better)]
    assert high["fill"] == "tonexty"
    assert behind["x"] == [point.cost for point in plane.points if point.behind] != []
    assert others["x"] == [point.cost for point in plane.points if not (point.best or point.behind)] != []
    assert others["mode"] == behind["mode"] == "markers"
    assert plane.points[1].row.name in behind["hovertext"][0]
    assert "95 % interval" in behind["hovertext"][0]
    assert levels["y"][::3] == [row.value.mean for row in plane.references]
    assert len(levels["x"]) == len(levels["y"]) == len(levels["hovertext"]) == 3 * len(plane.references)


def test_the_front_extends_to_the_dearest_point() -> None:
    (plane,) = planes_of(board_of(measured_in("emoji")))
    low, high, line, *_ = plane_figure(replace(plane, points=plane.points[:-1]))["traces"]
    assert line["x"] == low["x"] == high["x"] == [plane.points[0].cost, plane.points[-2].cost]
    assert line["y"] == [plane.points[0].value.mean] * 2


def test_a_spread_has_a_dot_for_each_run() -> None:
    board = board_of(measured_in("emoji"))
    (table,) = board.tables
    figure = spread_figure(table)
    means, dots = figure["traces"]
    assert means["x"] == [row.value.mean for row in table.rows]
    expected = [(value, place) for place, row in enumerate(table.rows) for value in row.by_seed.values()]
    assert list(zip(dots["x"], dots["y"], strict=True)) == expected
    assert len(figure["layout"]["yaxis"]["ticktext"]) == len(table.rows)


def test_hostile_names_reach_plotly_escaped() -> None:
    board = hostile()
    figures = [spread_figure(board.tables[0]), *(plane_figure(plane) for plane in planes_of(board))]
    curves = next(found for row in board.tables[0].rows if (found := trace_curves(row.runs[0].trace())))
    for figure in [*figures, *map(paint, curves.panels)]:
        text = json.dumps(figure)
        assert SCRIPT not in text
        assert "<img" not in text
        assert "<script" not in text
    assert plain(IMAGE) in json.dumps(figures[0], ensure_ascii=False).replace('\\"', '"')


@pytest.mark.parametrize(("series", "legend"), [(("gain",), False), (("gain", "open"), True)])
def test_a_legend_of_one_entry_is_left_out(series: tuple[Role, ...], legend: bool) -> None:
    """Series without marks and bands have no entry."""
    points = [Points(role, role, (Mark(1.0, 2.0),)) for role in series]
    panel = Panel(Axis("x"), Axis("y"), points=(*points, Points("none of these", "loss", ())))
    assert paint(panel)["layout"]["showlegend"] is legend
    assert paint(panel, legend=False)["layout"]["showlegend"] is False
    curve = Panel(Axis("x"), Axis("y"), lines=(Line("one", (0.0, 1.0), (1.0, 2.0), (0.5, 1.5), (1.5, 2.5)),))
    assert paint(curve)["layout"]["showlegend"] is False
