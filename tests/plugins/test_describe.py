"""What `kdbench plugins NAME` and the README's tables say of a plugin."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from kdbench import Offer, hookimpl
from kdbench.plugins.describe import describe, methods, parameter_rows, plugin_table
from kdbench.plugins.loading import KINDS, Listed, Plugins, installed


class Sharp:
    """w = softmax(k·ℓ)."""

    def __init__(
        self, *, k: Annotated[float, Field(gt=0, le=9)] = 2.0, side: Literal["up", "down"], deep: bool = False
    ) -> None:
        raise AssertionError(f"built: {k}, {side}, {deep}")


OFFER = Offer(
    "sharp",
    Sharp,
    "sharper",
    formula="w = softmax(k·ℓ) | k > 0",
    source="Nobody et al., 1999",
    status="reconstruction",
    example={"side": "up"},
    waives={"finite": "it is not"},
)


def test_all_that_an_offer_says_is_shown() -> None:
    text = describe("strategy", Listed(OFFER, "tests:sharp"))
    lines = text.splitlines()
    assert lines[0] == "strategy sharp: sharper"
    for said in ("w = softmax(k·ℓ) | k > 0", "Nobody et al., 1999", "reconstruction: its source leaves", "tests:sharp"):
        assert said in text
    assert "w = softmax(k·ℓ)." in lines  # the docstring
    assert any(line.startswith("k ") and "float, > 0, ≤ 9" in line and line.endswith("2.0") for line in lines)
    assert any(line.startswith("side") and "up | down" in line and line.endswith("required") for line in lines)
    assert "In a suite: {use: sharp, side: up}" in lines
    assert "  finite: it is not" in lines
    assert not [line for line in lines if line != line.rstrip()]


def test_types_are_shown_as_written() -> None:
    """Limits within a union or a list too."""

    class Limited:
        def __init__(
            self,
            *,
            limit: Annotated[int, Field(ge=10)] | None = None,
            ks: Annotated[list[Annotated[int, Field(ge=1, multiple_of=2)]], Field(min_length=1)],
        ) -> None: ...

    rows = {name: told for name, told, _ in parameter_rows(Offer("limited", Limited))}
    assert rows == {"limit": "int ≥ 10 | null", "ks": "list[int ≥ 1 multiple of 2]"}


def test_what_is_shown_stands_in_for_a_miniature() -> None:
    offer = Offer("sharp", Sharp, example={"side": "up"}, shown={"side": "down"})
    assert "In a suite: {use: sharp, side: down}" in describe("strategy", Listed(offer, "tests:sharp"))


def test_a_plugin_without_parameters_says_so() -> None:
    assert "It takes no parameters." in describe("strategy", installed().find("strategy", "equal"))


@pytest.mark.parametrize("kind", ["strategy", "objective", "teacher", "student", "dataset", "tracker"])
def test_every_plugin_installed_can_be_described(kind: str) -> None:
    for name, listed in installed().offers(kind).items():  # type: ignore[arg-type]
        text = describe(kind, listed)  # type: ignore[arg-type]
        assert text.startswith(f"{kind} {name}: ")
        assert listed.offer.summary


@pytest.mark.parametrize("kind", ["strategy", "objective"])
def test_first_party_methods_say_what_they_compute_and_whose_they_are(kind: str) -> None:
    for name, listed in installed().offers(kind).items():  # type: ignore[arg-type]
        if listed.provider.startswith("kdbench:"):
            offer = listed.offer
            assert offer.formula, name
            assert offer.source, name
            assert offer.status, name


def test_a_table_of_methods_keeps_its_columns() -> None:
    class Plugin:
        @hookimpl
        def kdbench_strategies(self) -> list[Offer[Sharp]]:
            return [OFFER]

    plugins = Plugins()
    plugins.register(Plugin(), "tests:sharp")
    lines = methods("strategy", plugins).splitlines()
    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == ["strategy", "weights", "source", "status"]
    assert r"w = softmax(k·ℓ) \| k > 0" in lines[2]
    assert "`sharp`" in lines[2]
    assert methods("strategy", plugins, "kdbench:").count("\n") == 1


@pytest.mark.parametrize("width", [100, 120, None])
def test_the_table_of_plugins_fits(width: int | None) -> None:
    """Its lines were 184 characters long."""
    rows = [(kind, listed) for kind in KINDS for listed in installed().offers(kind).values()]
    text = plugin_table(rows, width)
    assert max(map(len, text.splitlines())) <= (width or 300)
    for kind, listed in rows:
        assert [line.split()[:2] for line in text.splitlines()].count([kind, listed.offer.name]) == 1
    assert width or all(listed.offer.summary in text for _, listed in rows)


def test_the_table_of_no_plugins() -> None:
    assert plugin_table([], 100).split("\n")[0].split() == ["kind", "name", "status", "summary", "from"]
