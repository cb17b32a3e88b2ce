"""A page as HTML: one file, without scripts, whatever texts a dataset holds."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np

from kdbench.contracts.shown import Picture
from kdbench.contracts.task import Queries
from kdbench.reports.gallery.html import html
from kdbench.reports.gallery.of_runs import runs_page
from kdbench.reports.gallery.page import Page
from tests.support.galleries import HOSTILE, I2T, T2I, ByHand, model

RANKS = [2, 1, 1, 1, 1, 1, 1, 8]


class Tags(HTMLParser):
    """All elements with their attributes, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def made(shown: ByHand | None, lead: str = "RSUM 12.0") -> str:
    runs, teachers = [model("student", RANKS)], [model("x (teacher)", [1] * 8, kept=False)]
    return html(
        runs_page("beads · seed 0", [T2I, I2T], shown, runs, teachers, lead=lead, notes=["a note"], licence="CC BY 4.0")
    )


class Pictured(ByHand):
    """Draws a picture of the models that have outputs, and what moves or has text if there are any."""

    def pictures(self, outputs: Mapping[str, Any], of: Queries, index: int) -> Sequence[Picture]:  # noqa: ARG002
        names = "<b>" + ", ".join(outputs)
        return [Picture(names, b"still"), Picture("film", b"moves", moves=True), Picture("curves", b"drawn", drawn=True)]


def test_a_card_has_the_pictures_that_the_task_draws() -> None:
    runs = [replace(model(name, RANKS), outputs={"frames": np.zeros(8)}) for name in ("student", "other")]
    page = Tags(
        html(runs_page("fields", [T2I], Pictured(), [*runs, model("nothing kept", RANKS, kept=False)], most=1, lead=""))
    )
    text = " ".join(" ".join(page.text).split())
    assert "<b>student, other" in text
    drawn = [attributes for tag, attributes in page.found if tag == "img" and attributes["class"] in ("pixels", "drawn")]
    expected = [f"data:image/png;base64,{base64.b64encode(data).decode()}" for data in (b"still", b"moves", b"drawn")]
    assert [image["src"] for image in drawn[:3]] == expected
    tags = [tag for tag, _ in page.found]
    assert tags.index("details") > tags.index("figure"), "what moves is closed until somebody opens it"


def test_what_stands_on_a_page() -> None:
    page = Tags(made(ByHand("a lamp")))
    text = " ".join(" ".join(page.text).split())
    for expected in (
        "beads · seed 0",
        "RSUM 12.0",
        "a lamp",
        "student",
        "x (teacher)",
        "retrieval rank 8",
        "a note",
        "CC BY 4.0",
    ):
        assert expected in text
    images = [attributes for tag, attributes in page.found if tag == "img"]
    assert images
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in images)
    assert {image["alt"] for image in images if image["class"] != "large"} == {""}, "the text beside it says the same"
    assert all(image["alt"] for image in images if image["class"] == "large")
    assert next(attributes["id"] for tag, attributes in page.found if tag == "h2") == "heading-1"


def test_nothing_is_fetched_and_nothing_runs() -> None:
    text = made(ByHand(HOSTILE), lead=HOSTILE)
    page = Tags(text)
    assert not {"script", "iframe", "object", "form"} & {tag for tag, _ in page.found}
    assert not [name for _, attributes in page.found for name in attributes if name.startswith("on")]
    links = [value for _, attributes in page.found for name, value in attributes.items() if name in ("src", "href")]
    assert all(str(link).startswith(("data:", "#")) for link in links)
    assert "49" not in re.sub(r"data:[^\"]*|<style>.*?</style>", "", text, flags=re.DOTALL), (
        "a template in a text is not filled in"
    )
    text.encode()
    assert any("<script>alert(1)</script>" in part for part in page.text), "shown as text"


def test_a_page_of_figures_alone_and_an_empty_one() -> None:
    text = made(None)
    assert "t2i caption 7" in text
    assert "<img" not in text
    assert "Nothing to show." in html(Page("empty", "", []))


def test_the_legend_says_what_there_is() -> None:
    assert "✓ marks what is right" in made(ByHand())
    without = html(runs_page("x", [T2I], ByHand(), [model("student", RANKS, kept=False)], lead=""))
    assert "the figures of each model." in without
    assert "✓" not in without


def test_pictures_that_cannot_be_read_leave_a_gap() -> None:
    text = made(ByHand("a lamp", readable=False))
    assert "<img" not in text
    assert 'class="picture none"' in text
