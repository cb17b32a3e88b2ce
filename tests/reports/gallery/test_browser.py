"""A page as a reader meets it: in Chromium, without a network, with hostile texts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from kdbench.reports.gallery.html import html
from kdbench.reports.gallery.of_runs import runs_page
from tests.support.galleries import HOSTILE, I2T, T2I, ByHand, model

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    if os.environ.get("KDBENCH_NO_BROWSER") == "1":
        pytest.skip("KDBENCH_NO_BROWSER=1")
    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.fail("no Chromium: apt-get install chromium chromium-driver, or set KDBENCH_NO_BROWSER=1")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    found.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": "window.alert = () => { window.__hit = true; };"})
    try:
        yield found
    finally:
        found.quit()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "light"), (1280, "dark")])
def test_a_page_fits_the_screen_and_runs_nothing(driver: Any, width: int, scheme: str, tmp_path: Path) -> None:
    long = HOSTILE + " word" * 60 + " " + "x" * 300
    page = runs_page(long, [T2I, I2T], ByHand(long), [model("student", [2, 1, 1, 1, 1, 1, 1, 8])], lead=long, notes=[long])
    (tmp_path / "page.html").write_text(html(page), encoding="utf-8")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    driver.get((tmp_path / "page.html").as_uri())
    assert [entry["message"] for entry in driver.get_log("browser")] == []
    assert driver.execute_script("return window.__hit") is None
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert driver.execute_script("return [...document.images].every(image => image.complete && image.naturalWidth > 0)")
    spec = find_spec("axe_core_python")
    assert spec, "pip install axe-core-python"
    driver.execute_script(Path(str(spec.origin)).with_name("axe.min.js").read_text(encoding="utf-8"))
    violations = driver.execute_async_script("axe.run().then(arguments[0])")["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in violations] == []
    dark = driver.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    assert dark == (scheme == "dark")
