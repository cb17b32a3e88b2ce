"""The site as a reader meets it: opened from the disk in Chromium, with scripts on and no network."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kdbench.contracts.shown import Picture
from kdbench.reports import build
from kdbench.reports.board import Board
from kdbench.reports.summary import summaries
from kdbench_plugins.reports.site.page_names import slug, token
from kdbench_plugins.reports.site.site_pages import Written, write_site
from tests.support.site_boards import BOLD, IMAGE, METHODS, SCRIPT, board_of, hostile, measured_in, planes_of
from tests.support.site_studies import hostile_study, study, traded
from tests.support.situations import situations

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--window-size=1280,900",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--force-prefers-reduced-motion",
]
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
DESKTOP = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}


class Reader:
    """A browser that remembers what it was asked for and every attempt to run a script of a name."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self.cdp("Page.addScriptToEvaluateOnNewDocument", source="window.alert = () => { window.__hit = true; };")

    def cdp(self, command: str, **arguments: object) -> Any:
        return self.driver.execute_cdp_cmd(command, arguments)

    def js(self, code: str, *arguments: object) -> Any:
        return self.driver.execute_script(code, *arguments)

    def scheme(self, name: str) -> None:
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def open(self, path: Path, scheme: str = "light", screen: dict[str, int] = DESKTOP, plots: bool = True) -> None:
        self.scheme(scheme)
        self.cdp("Emulation.setDeviceMetricsOverride", **screen)
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)  # of the pages before
        self.driver.get(path.as_uri())
        if plots:
            self.js("dispatchEvent(new Event('beforeprint'))")  # draws what is not in view too
            wanted, drawn = (
                f"return document.querySelectorAll('{css}').length" for css in (".plot", ".plot .main-svg:first-of-type")
            )
            self.until(lambda: self.js(drawn) >= self.js(wanted))

    def until(self, condition: Any) -> None:
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, 10, poll_frequency=0.05).until(lambda _: condition())

    def find(self, css: str, text: str = "") -> Any:
        found = self.driver.find_elements("css selector", css)
        return next(element for element in found if text in (element.get_attribute("textContent") or ""))

    def problems(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def requested(self) -> list[str]:
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    if os.environ.get("KDBENCH_NO_BROWSER") == "1":
        pytest.skip("KDBENCH_NO_BROWSER=1")
    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.fail("no Chromium to test the site with: apt-get install chromium chromium-driver, or set KDBENCH_NO_BROWSER=1")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        yield Reader(driver)
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def board() -> Board:
    return board_of(measured_in("emoji"))


def drawn(_: object) -> list[Picture]:
    """Pictures as wide as those of a task: one of points, one of lines."""
    stream = io.BytesIO()
    Image.new("RGB", (836, 616)).save(stream, "PNG")
    return [Picture("Truth", stream.getvalue()), Picture("Error against time", stream.getvalue(), drawn=True)]


@pytest.fixture(scope="module")
def site(board: Board, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("real") / "site"
    return write_site(folder, board, planes_of(board), [], METHODS, [study(), traded()], summaries(board), drawn)


@pytest.fixture(scope="module")
def hostile_site(tmp_path_factory: pytest.TempPathFactory) -> Written:
    board, folder = hostile(), tmp_path_factory.mktemp("hostile") / "site"
    return write_site(folder, board, planes_of(board), [], [], [hostile_study()], summaries(board))


@pytest.fixture(scope="module")
def regimes_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    board = build(situations())
    return write_site(tmp_path_factory.mktemp("regimes") / "site", board, [], [], [], [], summaries(board)).entry


def _one_of_each(site: Written, board: Board) -> list[Path]:
    """The index, the page of a run with curves, the page of a strategy, those of both kinds of studies."""
    folder = site.entry.parent
    run = next(run for row in board.tables[0].rows for run in row.runs if run.record.trace_sha256)
    pages = [folder / "runs" / f"{run.record.run_id}.html", folder / "strategies" / f"{slug('ammkd')}.html"]
    return [site.entry, *pages, *sorted((folder / "tuning").iterdir())]


def _studies(site: Written) -> list[Path]:
    return sorted((site.entry.parent / "tuning").iterdir())


def _column(reader: Reader, place: int) -> list[str]:
    rows = "table.ranked tbody:not(.references) tr"
    cell = "row.cells[arguments[1]]"
    code = f"return [...document.querySelectorAll(arguments[0])].map(row => {cell}.dataset.order ?? {cell}.textContent)"
    return [str(value) for value in reader.js(code, rows, place)]


def test_pages_open_without_errors_and_ask_for_nothing_but_their_own_files(reader: Reader, site: Written, board: Board) -> None:
    for path in _one_of_each(site, board):
        reader.open(path)
        assert reader.problems() == []
        requested = reader.requested()
        assert requested[0] == path.as_uri()
        assert all(url.startswith((site.entry.parent.as_uri(), "data:,")) or url.startswith("data:image") for url in requested)


def test_a_header_sorts_by_figures_with_the_mouse_and_with_the_keyboard(reader: Reader, site: Written, board: Board) -> None:
    from selenium.webdriver.common.keys import Keys

    reader.open(site.entry, plots=False)
    (table,) = board.tables
    expected = [row.cost.train_seconds or 0.0 for row in table.rows]
    place = next(i for i, cell in enumerate(_column_headers(reader)) if cell == "Student, s")
    before = [float(value) for value in _column(reader, place)]
    assert before == pytest.approx(expected)
    assert before != sorted(before)
    assert len({len(f"{value:.0f}") for value in before}) > 1, "figures of one length sort alike as texts"
    header = reader.find("table.ranked th", "Student, s")
    reader.js("arguments[0].closest('.scroller').scrollLeft = 600", header)
    header.click()
    reader.until(lambda: header.get_attribute("aria-sort"))
    assert [float(value) for value in _column(reader, place)] == pytest.approx(sorted(expected))
    assert header.get_attribute("aria-sort") == "ascending"
    header.find_element("css selector", "[tabindex='0']").send_keys(Keys.ENTER)
    reader.until(lambda: header.get_attribute("aria-sort") != "ascending")
    assert [float(value) for value in _column(reader, place)] == pytest.approx(sorted(expected, reverse=True))
    assert header.get_attribute("aria-sort") == "descending"
    assert "as-ranked" not in str(reader.find("table.ranked").get_attribute("class"))
    references = reader.driver.find_elements("css selector", "table.ranked tbody.references tr")
    first = reader.find("table.ranked tbody:not(.references) tr")
    assert len(references) == len(table.references) > 0
    assert all(row.location["y"] < first.location["y"] for row in references)


def test_trials_sort_by_their_values(reader: Reader, site: Written) -> None:
    path = next(path for path in _studies(site) if "traded" not in path.name)
    reader.open(path)
    code = "return [...document.querySelectorAll('#trials-table tbody tr')].map(row => row.cells[2].dataset.order)"
    values = [str(trial.values[0]) if trial.values else "" for trial in study().trials]
    assert reader.js(code) == values
    reader.find("#trials-table th", "mean recall").click()
    known = sorted(filter(None, values), key=float, reverse=True)
    reader.until(lambda: reader.js(code)[: len(known)] == known != values[: len(known)])
    assert reader.problems() == []


def _column_headers(reader: Reader) -> list[str]:
    """Texts of the headers of the columns, from left to right."""
    code = """return [...document.querySelectorAll('table.ranked th[data-dt-column]')].filter(cell => cell.colSpan === 1)
        .sort((a, b) => a.dataset.dtColumn - b.dataset.dtColumn)
        .map(cell => [cell.dataset.dtColumn, cell.textContent.trim()])"""
    return list(dict(reader.js(code)).values())  # a group of one column has a header above its own


def test_every_column_that_sorts_says_so_to_the_keyboard(reader: Reader, site: Written) -> None:
    reader.open(site.entry, plots=False)
    headers = reader.js(
        """return [...document.querySelectorAll('table.ranked th')].filter(header => header.querySelector('[tabindex="0"]'))
            .map(header => header.textContent.trim())"""
    )
    assert headers == [
        *["Rank", "Group", "Strategy", "mean log-rank ↓", "Teachers", "Seeds", "Tuning"],
        *["R@1", "R@5", "R@10", "R@1", "R@5", "R@10", "RSUM", "Student, s", "Teachers, s", "Strategy, %", "Peak, MB"],
    ]


def test_filters_leave_the_rows_asked_for(reader: Reader, site: Written, board: Board) -> None:
    from selenium.webdriver.support.select import Select

    reader.open(site.entry, plots=False)
    (table,) = board.tables
    count = reader.find(".count")
    assert count.text == f"{len(table.rows)} rows"
    Select(reader.find("[data-filter=strategy]")).select_by_visible_text("ammkd")
    expected = [row for row in table.rows if row.strategy == "ammkd"]
    assert 0 < len(expected) < len(table.rows)
    assert _column(reader, 3) == [str(round(row.value.mean, 6)) for row in expected]
    assert count.text == f"{len(expected)} of {len(table.rows)} rows"
    Select(reader.find("[data-filter=strategy]")).select_by_visible_text("all")
    Select(reader.find("[data-filter=teachers]")).select_by_visible_text("lite0")
    assert set(_column(reader, 4)) == {"lite0"}
    Select(reader.find("[data-filter=teachers]")).select_by_visible_text("all")
    reader.find("[data-filter=search]").send_keys("no distillation")
    assert set(_column(reader, 2)) == {"no distillation"}
    reader.find("[data-filter=search]").send_keys("xyz")
    assert count.text == f"0 of {len(table.rows)} rows"


def test_a_point_under_the_mouse_tells_its_row(reader: Reader, site: Written, board: Board) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    reader.open(site.entry)
    (plane,) = planes_of(board)
    point = next(point for point in plane.points if point.best)
    plot = reader.find("[id^=pareto-]")
    reader.js("arguments[0].scrollIntoView({block: 'center'})", plot)
    marks = plot.find_elements("css selector", ".scatterlayer .trace .points path")
    assert len(marks) == len(plane.points)
    others = sum(not point.best for point in plane.points)  # the front is drawn last
    ActionChains(reader.driver).move_to_element_with_offset(marks[others], 3, 3).move_to_element(marks[others]).perform()
    reader.until(lambda: plot.find_elements("css selector", ".hoverlayer .hovertext"))
    label = plot.find_element("css selector", ".hoverlayer").text
    for text in (point.row.name, f"{point.value.mean:.1f}", f"{point.value.low:.1f}", f"{point.cost:.3f}", plane.cost):
        assert text in label


def test_no_page_is_wider_than_a_phone(reader: Reader, site: Written, board: Board, hostile_site: Written) -> None:
    for path in [*_one_of_each(site, board), hostile_site.entry, *_studies(hostile_site)]:
        reader.open(path, screen=PHONE)
        assert reader.js("return innerWidth") == 390
        assert reader.js("return document.documentElement.scrollWidth") <= 390, path.name
        outside = reader.js(
            """return [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroller, .plot, .unseen')
                && e.getBoundingClientRect().right > 391).map(e => e.outerHTML.slice(0, 80))"""
        )
        assert outside == []
    reader.open(site.entry, screen=PHONE)
    scroller = reader.find("div.scroller")
    assert reader.js("return arguments[0].scrollWidth > arguments[0].clientWidth", scroller)


def test_dark_and_light_follow_the_reader_and_plots_with_them(reader: Reader, site: Written) -> None:
    reader.open(site.entry, "light")
    plot = "document.querySelector('.plot .main-svg').style.backgroundColor"
    look = f"return [getComputedStyle(document.body).backgroundColor, {plot}]"
    light = reader.js(look)
    reader.scheme("dark")
    reader.until(lambda: reader.js(look)[1] != light[1])
    dark = reader.js(look)
    for page, plot in (light, dark):
        assert _channels(page) == _channels(plot)
    assert min(_channels(light[0])) > 200
    assert max(_channels(dark[0])) < 60


def _channels(colour: str) -> list[int]:
    return [int(part) for part in colour.partition("(")[2].rstrip(")").split(",")[:3]]


def test_names_run_nothing_and_are_shown_as_they_are(reader: Reader, hostile_site: Written) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    reader.open(hostile_site.entry)
    assert reader.find("tbody th", SCRIPT).text.startswith(SCRIPT)
    assert IMAGE in reader.find("section h2[id^=table]").text
    for header in reader.driver.find_elements("css selector", "table.ranked th [tabindex='0']"):
        header.send_keys(Keys.ENTER)
    reader.find("[data-filter=search]").send_keys("<script")
    assert len(_column(reader, 0)) == 1
    labels: list[str] = []
    for mark in reader.driver.find_elements("css selector", ".plot .points path"):
        reader.js("arguments[0].scrollIntoView({block: 'center'})", mark)
        ActionChains(reader.driver).move_to_element(mark).perform()
        reader.until(lambda: reader.driver.find_elements("css selector", ".hoverlayer .hovertext"))
        labels += [
            reader.js("return arguments[0].textContent", label)
            for label in reader.driver.find_elements("css selector", ".hovertext")
        ]
    assert any(f"{SCRIPT} of {BOLD}{IMAGE}" in label for label in labels)
    shown = reader.js("return [...document.querySelectorAll('.plot')].map(e => e.textContent).join(' ')")
    assert IMAGE in shown
    folder = hostile_site.entry.parent
    paths = [
        *_studies(hostile_site),
        folder / "strategies" / f"{slug(SCRIPT)}.html",
        folder / "runs" / f"{token(f'../{SCRIPT}0')}.html",
    ]
    assert reader.js("return window.__hit") is None
    assert reader.driver.find_elements("css selector", "img") == []
    assert reader.problems() == []
    for path in paths:
        reader.open(path)
        assert SCRIPT in reader.find("h1").text
        assert reader.js("return window.__hit") is None
        assert reader.driver.find_elements("css selector", "img") == []
        assert reader.problems() == []
        assert all(url.startswith("file://") or url == "data:," for url in reader.requested())


def test_the_map_of_regimes_has_one_legend_and_fits_a_phone(reader: Reader, regimes_page: Path) -> None:
    reader.open(regimes_page, screen=PHONE)
    assert reader.js("return document.documentElement.scrollWidth") <= 390
    assert reader.js("return document.querySelectorAll('.regimes .main-svg .legend *').length") == 0
    assert reader.js("return document.querySelectorAll('ul.legend').length") == 1
    sign = reader.find(".legend .sign")
    mark = reader.find(".regimes .points path[d]:not([d=''])")
    assert sign.text == "◆"
    assert mark.is_displayed()
    assert reader.problems() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_bars_a_reader(reader: Reader, site: Written, board: Board, regimes_page: Path, scheme: str) -> None:
    spec = find_spec("axe_core_python")
    assert spec, "pip install axe-core-python"
    axe = Path(str(spec.origin)).with_name("axe.min.js").read_text(encoding="utf-8")
    for path in [*_one_of_each(site, board), regimes_page]:
        reader.open(path, scheme)
        reader.js(f"{axe}; window.axe = axe;")
        found = reader.driver.execute_async_script(
            "const done = arguments[0]; axe.run().then(r => done([r.violations, r.passes.length]), e => done([String(e), 0]))"
        )
        assert found[1] > 20, found[0]
        barring = [
            (violation["id"], violation["nodes"][0]["html"][:200], violation["nodes"][0].get("failureSummary"))
            for violation in found[0]
            if violation["impact"] in ("serious", "critical")
        ]
        assert barring == [], path.name
