"""The plan for large data in docs/clusters.md: its figures follow from the assumptions beside them."""

from __future__ import annotations

import re

import numpy as np

from kdbench import PLACE
from tests.support.paths import ROOT

PAGE = (ROOT / "docs/clusters.md").read_text(encoding="utf-8")
UNITS = {"MB": 1e6, "GB": 1e9, "TB": 1e12}


def number(text: str) -> float:
    """`15.4 GB` in bytes, `7,100 USD` and `0.56` as they are."""
    value, _, unit = text.replace(",", "").partition(" ")
    return float(value) * UNITS.get(unit, 1)


def agrees(shown: str, value: float) -> bool:
    """To the digits that are shown."""
    figure = shown.replace(",", "").split(" ")[0]
    digits = max(2, len(figure.replace(".", "").lstrip("0")) - (0 if "." in figure else len(figure) - len(figure.rstrip("0"))))
    return f"{number(shown):.{digits - 1}e}" == f"{value:.{digits - 1}e}"


def test_the_figures_follow_from_the_assumptions() -> None:
    speed, price = re.findall(r"([\d,.]+) (?:pairs a second through|USD a GB and month)", PAGE)
    embeddings = 2 * 2 * (768 + 512)
    pair = embeddings + 4 * 77 + 16 + 60
    places, pixels = 16, 2 * 3 * 224**2
    assert places == np.dtype(PLACE).itemsize
    for text in ("2·2·(768 + 512)", "2·3·224²", "4·77 of tokens", "16 of concepts", "60 of caption", "16 to say where"):
        assert text in PAGE
    rows = re.findall(r"^\| ([\d,]+)\s+\|(.+)\|$", PAGE, re.MULTILINE)
    rows = [row for row in rows if "USD" in row[1]]
    assert [row[0] for row in rows] == ["30,000", "3,000,000", "1,000,000,000"]
    for first, rest in rows:
        pairs = number(first)
        expected = (
            pairs * embeddings,
            pairs * (pair + places),
            pairs * (pair + pixels),
            pairs / number(speed) / 3600,
            pairs * (pair + places) / 1e9 * number(price),
            pairs * 8,
        )
        for shown, value in zip((cell.strip() for cell in rest.split("|")), expected, strict=True):
            assert agrees(shown, value), f"{first} pairs: {shown}, expected {value}"
