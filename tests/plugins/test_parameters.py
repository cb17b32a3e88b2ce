"""Signatures of builders as schemas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from kdbench import Offer, PluginError, Uses
from kdbench.plugins.parameters import checked_params, nested_specs, nested_uses, params_model, with_nested

if TYPE_CHECKING:
    from decimal import Decimal


def everything(
    *,
    count: Annotated[int, Field(ge=1)],
    rate: float = 0.5,
    names: list[str] = ["a"],  # noqa: B006
    mode: Literal["fast", "slow"] = "fast",
    limit: int | None = None,
) -> None: ...


class Built:
    def __init__(self, *, width: int = 3) -> None: ...


class Bare:
    """A plugin without parameters."""


@dataclass(kw_only=True)
class Data:
    width: int = 3


def returns_what_only_checkers_import(*, width: int = 3) -> Decimal:
    raise AssertionError(f"built: {width}")


def values(build: Callable[..., Any], **params: Any) -> dict[str, Any]:
    return checked_params(Offer("some", build), params)


def test_defaults_are_filled_in() -> None:
    assert values(everything, count=2) == {"count": 2, "rate": 0.5, "names": ["a"], "mode": "fast", "limit": None}


@pytest.mark.parametrize("build", [Built, Data, returns_what_only_checkers_import])
def test_classes_and_functions_build(build: Callable[..., Any]) -> None:
    assert values(build) == {"width": 3}
    assert values(build, width=5) == {"width": 5}


def test_a_class_without_parameters() -> None:
    assert values(Bare) == {}
    with pytest.raises(ValidationError):
        values(Bare, width=3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"count": "2"},
        {"count": 2.0},
        {"count": True},
        {"count": 2, "rate": "0.1"},
        {"count": 2, "rate": False},
        {"count": 2, "names": "a"},
        {"count": 2, "mode": "fats"},
        {"count": 2, "limit": 1.5},
        {"count": 2, "cuont": 3},
        {},
    ],
)
def test_types_are_exact(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        values(everything, **wrong)
    assert raised.value.error_count() == 1


def test_a_whole_number_is_a_number() -> None:
    found = values(everything, count=2, rate=1)["rate"]
    assert (found, type(found)) == (1.0, float)


def test_a_default_is_what_the_same_value_given_is() -> None:
    """Or the same run would have two ids: JSON tells 1 from 1.0."""

    def build(*, rate: float = 1) -> None: ...

    assert type(values(build)["rate"]) is type(values(build, rate=1)["rate"])


def test_nested_uses() -> None:
    def build(*, student: Annotated[dict[str, Any], Uses("student")], width: int = 1) -> None: ...

    assert nested_uses(Offer("some", build)) == {"student": Uses("student")}
    assert nested_uses(Offer("other", everything)) == {}


Several = Annotated[dict[str, dict[str, Any]] | list[dict[str, Any]] | None, Uses("objective", several=True)]


def test_plugins_in_parameters_one_and_several() -> None:
    def build(
        *, student: Annotated[dict[str, Any] | None, Uses("student")] = None, terms: Several = None, more: Several = None
    ) -> None: ...

    offer = Offer("some", build)
    assert nested_specs(offer, {"student": None, "terms": None, "more": None}) == []
    params = {"student": {"use": "toy"}, "terms": [{"use": "a", "coefficient": 2, "x": 1}], "more": {"k": {"use": "b"}}}
    found = nested_specs(offer, params)
    assert [(one.path, one.kind, one.use, one.params) for one in found] == [
        (("student",), "student", "toy", {}),
        (("terms", 0), "objective", "a", {"x": 1}),
        (("more", "k"), "objective", "b", {}),
    ]
    changed = with_nested(params, [(one, {"y": position}) for position, one in enumerate(found)])
    assert changed == {
        "student": {"use": "toy", "y": 0},
        "terms": [{"use": "a", "coefficient": 2, "y": 1}],
        "more": {"k": {"use": "b", "y": 2}},
    }
    assert params["student"] == {"use": "toy"}
    wrong = {"student": {"width": 1}, "terms": [{"x": 1}]}
    assert nested_specs(offer, wrong) == []
    assert len(nested_specs(offer, wrong, checked=False)) == 2


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda *, width: width, "some: parameter 'width' of its builder has no type; its type is its schema"),
        (lambda **widths: widths, "some: its builder takes '**widths'; expected parameters given by name"),
        (lambda *widths: widths, "some: its builder takes '*widths'; expected parameters given by name"),
    ],
)
def test_a_signature_that_is_no_schema(build: Callable[..., Any], message: str) -> None:
    with pytest.raises(PluginError) as raised:
        params_model(Offer("some", build))
    assert str(raised.value) == message


@pytest.mark.parametrize("name", ["use", "name", "coefficient"])
def test_names_that_mean_something_else(name: str) -> None:
    builders: dict[str, Callable[..., None]] = {"use": _use, "name": _name, "coefficient": _coefficient}
    with pytest.raises(PluginError, match=f"some: a suite cannot give a parameter called '{name}'; rename it"):
        params_model(Offer("some", builders[name]))


def _use(*, use: str) -> None: ...
def _name(*, name: str) -> None: ...
def _coefficient(*, coefficient: float) -> None: ...


def test_a_type_that_cannot_be_resolved() -> None:
    def build(*, price: Decimal) -> None: ...

    with pytest.raises(PluginError, match=r"some: a parameter's type cannot be resolved \(.*'Decimal'"):
        params_model(Offer("some", build))
