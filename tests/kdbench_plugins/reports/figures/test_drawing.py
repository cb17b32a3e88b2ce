"""All pictures of a board as files: their bytes, what is embedded, and names that mean harm."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from PIL import Image

from kdbench import KdbenchError
from kdbench.records.trace import Trace
from kdbench.reports.board import Board
from kdbench.reports.pareto import Plane, planes
from kdbench.reports.plots.cost_plane_text import plotted
from kdbench_plugins.reports.figures.drawing import draw, pictures
from kdbench_plugins.reports.figures.picture_files import embedded
from tests.support.made_boards import DATASET, profile, row, student, table

HARM = ["$x_{", "_hidden", "a\nb\x00\x1b[31m", "</metadata><script>", "../../up", "\ufdd0\u202e", "x" * 300, "%s {0} \\frac"]


def trace(*teachers: str) -> Trace:
    columns = [[0.2, 0.3], *([0.8 / (len(teachers) - 1), 0.7 / (len(teachers) - 1)] for _ in teachers[1:])]
    return Trace(step=[5, 10], weights=dict(zip(teachers, columns, strict=True)))


def board(names: list[str], teachers: tuple[str, str] = ("a", "b")) -> tuple[Board, list[Plane]]:
    """Two students, a strategy a name."""
    tables, profiles = [], []
    for place, name in enumerate(("small", names[0])):
        of = student(name, place=place)
        rows = [
            row(one, 100.0 - n, of=of, team=teachers, dataset=DATASET.replace(name=names[0]), traces=[trace(*teachers)])
            for n, one in enumerate(names)
        ]
        reference = row("", 150.0, of=student(teachers[0]), team=(), reference=True)
        tables.append(table(*rows, references=[reference]))
        profiles.append(profile(of, {1: 1.0 + place}, {1: 1.0}))
    made = Board([*tables, table()], [])
    return made, planes(made, profiles)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Board, list[Plane]]:
    made, costs = board(["equal", "ammkd"])
    return draw(tmp_path_factory.mktemp("pictures"), made, costs), made, costs


def test_every_plane_and_table_is_drawn(drawn: tuple[list[Path], Board, list[Plane]]) -> None:
    paths, made, costs = drawn
    assert len(costs) == 2
    stems = [picture.stem for picture in pictures(made, costs)]
    assert [path.name for path in paths] == [f"{stem}.{suffix}" for stem in stems for suffix in ("png", "svg")]
    assert sorted(paths) == sorted(paths[0].parent.iterdir())
    assert stems[:2] == [f"plane-latency-equal-{costs[0].id}", f"plane-parameters-equal-{costs[1].id}"]
    assert stems[2:] == [f"{kind}-equal-{one.id}" for one in made.tables[:2] for kind in ("seeds", "weights")]


def test_files_hold_what_they_were_drawn_from(drawn: tuple[list[Path], Board, list[Plane]]) -> None:
    paths, made, costs = drawn
    for picture in pictures(made, costs):
        same = [path for path in paths if path.stem == picture.stem]
        assert [embedded(path) for path in same] == [picture.data] * 2
        assert picture.alt.endswith(".")
        assert "\n" not in picture.alt
    assert [picture.data for picture in pictures(made, costs)[:2]] == [plotted(plane) for plane in costs]
    others, prices = board(["equal", "dwa"])
    assert not {picture.data for picture in pictures(others, prices)} & {embedded(path) for path in paths}


def test_pictures_fit_a_readme(drawn: tuple[list[Path], Board, list[Plane]]) -> None:
    for path in drawn[0]:
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert image.width == 1350
                assert image.getpixel((0, image.height - 1)) == (255, 255, 255, 255)
                assert {key for key in image.info if key != "dpi"} == {"Title", "Description"}
        else:
            assert "date>" not in path.read_text()
            assert "Matplotlib" not in path.read_text()


def test_the_same_board_gives_the_same_bytes(
    drawn: tuple[list[Path], Board, list[Plane]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    paths, made, costs = drawn
    with matplotlib.rc_context({"font.size": 20, "svg.hashsalt": "other", "lines.linewidth": 7, "savefig.bbox": "tight"}):
        again = draw(tmp_path / "new" / "folder", made, costs)
        assert matplotlib.rcParams["font.size"] == 20
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


def test_names_do_no_harm(tmp_path: Path) -> None:
    made, costs = board(HARM, (HARM[0], HARM[3]))
    folder = tmp_path / "in"
    paths = draw(folder, made, costs)
    assert len(paths) == 12
    assert sorted(paths) == sorted(folder.iterdir())
    assert list(tmp_path.iterdir()) == [folder]
    for path in paths:
        assert embedded(path)
        assert path.suffix == ".png" or "<script>" not in path.read_text()
    figure = pictures(made, costs)[0].figure()
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"$x_{", "_hidden", "a b\ufffd\ufffd[31m", "</metadata><script>", "../../up", "\ufffd\ufffd", "%s {0} \\frac"} < set(
        named
    )


def test_what_cannot_be_written_or_read(tmp_path: Path) -> None:
    made, costs = board(["equal"])
    (tmp_path / "file").write_text("")
    with pytest.raises(KdbenchError, match=r"plane-.*\.png: cannot write the picture"):
        draw(tmp_path / "file", made, costs)
    with pytest.raises(KdbenchError, match="file: cannot read the picture"):
        embedded(tmp_path / "file")
    (tmp_path / "bare.svg").write_text("<svg/>")
    with pytest.raises(KdbenchError, match="does not contain its data"):
        embedded(tmp_path / "bare.svg")


def test_offering_reports_is_cheap() -> None:
    modules = ", ".join(f"kdbench_plugins.reports.{name}" for name in ("figures", "site", "text_formats"))
    code = f"import sys, {modules}; print([m for m in ('torch', 'matplotlib', 'PIL', 'jinja2') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
