from __future__ import annotations

import json

from kdbench.reports.site.plane import plane_figure, side_by_side
from kdbench.reports.site.plots import plain
from kdbench.reports.site.series import curves_of
from kdbench.reports.site.spread import short_names, spread_figure
from tests.support.site_boards import IMAGE, SCRIPT, board_of, hostile, measured_in, planes_of


def test_text_for_plotly_holds_no_markup_and_reads_back() -> None:
    assert plain(SCRIPT) == "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert plain("&lt;b&gt;") == "&amp;lt;b&amp;gt;"


def test_a_plane_has_all_points_with_their_intervals_and_the_front_as_a_line() -> None:
    board = board_of(measured_in("emoji"))
    (plane,) = planes_of(board)
    behind, others, front, levels = plane_figure(plane)["traces"]
    best = [point for point in plane.points if point.best]
    assert front["x"] == [point.cost for point in best]
    assert front["y"] == [point.value.mean for point in best]
    assert front["error_y"]["array"] == [point.value.half for point in best]
    assert front["mode"] == "lines+markers"
    assert behind["x"] == [point.cost for point in plane.points if point.behind] != []
    assert others["x"] == [point.cost for point in plane.points if not (point.best or point.behind)] != []
    assert others["mode"] == behind["mode"] == "markers"
    assert plane.points[1].row.name in behind["hovertext"][0]
    assert "95 % interval" in behind["hovertext"][0]
    assert levels["y"][::3] == [row.values["rsum"].mean for row in plane.references]
    assert len(levels["x"]) == len(levels["y"]) == len(levels["hovertext"]) == 3 * len(plane.references)


def test_a_spread_has_a_dot_for_each_run() -> None:
    board = board_of(measured_in("emoji"))
    (table,) = board.tables
    figure = spread_figure(table)
    means, dots = figure["traces"]
    assert means["x"] == [row.values["rsum"].mean for row in table.rows]
    expected = [(value, place) for place, row in enumerate(table.rows) for value in row.by_seed.values()]
    assert list(zip(dots["x"], dots["y"], strict=True)) == expected
    assert len(figure["layout"]["yaxis"]["ticktext"]) == len(table.rows)


def test_names_are_short_where_that_tells_rows_apart() -> None:
    one_team, two_teams = board_of(measured_in("ammkd")).tables[0], board_of(measured_in("emoji", "strategies")).tables[0]
    assert sorted(short_names(one_team.rows)) == ["ammkd", "equal", "lite0 alone", "lite2 alone", "no teacher"]
    assert short_names(two_teams.rows) == [row.name for row in two_teams.rows]


def test_hostile_names_reach_plotly_escaped() -> None:
    board = hostile()
    figures = [spread_figure(board.tables[0]), *(plane_figure(plane) for plane in planes_of(board))]
    series = curves_of(board.tables[0].rows[1].runs[0].series())
    assert series is not None
    for figure in [*figures, *series.plots.values()]:
        text = json.dumps(figure)
        assert SCRIPT not in text
        assert "<img" not in text
        assert "<script" not in text
    assert plain(IMAGE) in json.dumps(figures[0], ensure_ascii=False).replace('\\"', '"')


def test_curves_take_columns_of_figures_and_name_the_rest() -> None:
    found = curves_of(
        {
            "step": [1, 2, 3],
            "loss": [3.0, float("nan"), None],
            "task": [1.0],
            "weights": {"a": [0.1, 0.2, 0.3], "b": "text"},
            "report": {"own": [1, 2, 3]},
            "entropy": [True, False, True],
        }
    )
    assert found is not None
    assert found.columns == {"loss": [3.0, None, None], "weights: a": [0.1, 0.2, 0.3], "report: own": [1, 2, 3]}
    assert found.left_out == ["task", "weights: b", "entropy"]
    assert list(found.plots) == ["Loss", "Weight of each teacher"]
    assert [trace["name"] for trace in found.plots["Weight of each teacher"]["traces"]] == ["a"]
    assert curves_of({}) is None


def test_points_of_equal_cost_stand_side_by_side_and_near() -> None:
    costs = [1.0, 1.0, 1.0, 1.0, 1.5, 4.0, 4.0]
    drawn = side_by_side(costs)
    assert len(set(drawn)) == len(costs)
    assert (drawn[0], drawn[4], drawn[5]) == (1.0, 1.5, 4.0)
    assert all(abs(x - cost) < 0.25 for x, cost in zip(drawn, costs, strict=True))
    assert drawn[1] > 1.0 > drawn[2]
    assert side_by_side([7.0, 7.0, 7.0])[0] == 7.0
    assert side_by_side([1.0, 2.0]) == [1.0, 2.0]
    assert side_by_side([]) == []
