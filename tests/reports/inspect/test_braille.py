"""Curves in braille dots."""

from __future__ import annotations

import pytest

from kdbench.reports.inspect.braille import panel, side_by_side


def dots(lines: list[str], width: int) -> set[tuple[int, int]]:
    """Columns and rows of cells with a dot, from the panel's lower left, the frame left out."""
    left = lines[1].index("┌") + 1
    rows = [line[left : width - 1] for line in lines[2:-2]]
    return {
        (column, len(rows) - 1 - row)
        for row, line in enumerate(rows)
        for column, cell in enumerate(line)
        if "\u2801" <= cell <= "\u28ff"
    }


def test_a_rising_curve_rises() -> None:
    lines = panel("up", list(range(5, 105, 5)), [0.05 * place for place in range(20)], 40, (0.0, 0.95))
    assert all(len(line) == 40 for line in lines)
    assert lines[0].strip() == "up"
    found = dots(lines, 40)
    columns = max(column for column, _ in found) + 1
    rows = max(row for _, row in found) + 1
    assert (0, 0) in found
    assert (columns - 1, rows - 1) in found
    assert rows == len(lines) - 4
    lowest = [min(row for at, row in found if at == column) for column in range(columns)]
    assert lowest == sorted(lowest)
    assert not {(0, rows - 1), (columns - 1, 0)} & found
    assert lines[-1].split() == ["5", "100"]
    assert [line.split("┤")[0].strip() for line in lines if "┤" in line] == ["0.95", "0.47", "0.00"]


@pytest.mark.parametrize(("level", "row"), [(0.0, 0), (0.5, 2), (1.0, 4)])
def test_a_constant_curve_is_level(level: float, row: int) -> None:
    found = dots(panel("level", [1, 2, 3, 4], [level] * 4, 40, (0.0, 1.0)), 40)
    assert {height for _, height in found} == {row}
    assert len(found) == 40 - len("12345┤") - 1


def test_one_panel_knows_nothing_of_the_one_before() -> None:
    alone = panel("b", [1, 2, 3], [0.0, 0.5, 0.2], 30, (0.0, 1.0))
    panel("a", [1, 2, 3, 400], [9.0, 0.5, -7.0, 0.0], 50, (-7.0, 9.0))
    assert panel("b", [1, 2, 3], [0.0, 0.5, 0.2], 30, (0.0, 1.0)) == alone


@pytest.mark.parametrize("values", [[1.0], [0.0], [-3.0]])
def test_a_single_step(values: list[float]) -> None:
    text = side_by_side([1], {"loss": values}, 80)
    assert len(dots(text.split("\n"), 60)) == 1


def test_long_names_are_cut() -> None:
    lines = panel("x" * 100, [1, 2], [0.0, 1.0], 30, (0.0, 1.0))
    assert all(len(line) == 30 for line in lines)
    assert "xxx…" in lines[0]


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 80, 1), (3, 80, 1), (4, 80, 2), (5, 80, 2), (7, 80, 3), (5, 140, 1), (3, 40, 3)]
)
def test_as_few_rows_of_panels_as_fit(count: int, columns: int, rows: int) -> None:
    text = side_by_side([1, 2], {f"n{place}": [0.0, 1.0] for place in range(count)}, columns)
    titles = [line.split() for line in text.split("\n") if "n" in line]
    assert len(titles) == rows
    assert [name for row in titles for name in row] == [f"n{place}" for place in range(count)]
    assert max(map(len, titles)) - min(map(len, titles[:-1]), default=len(titles[0])) == 0
