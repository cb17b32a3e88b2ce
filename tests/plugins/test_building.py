"""Building what a plugin wraps."""

from __future__ import annotations

import subprocess
import sys
from typing import cast

import pytest
from pydantic import ValidationError

import kdbench
from kdbench import Offer, PluginError, Student
from kdbench.plugins.building import build, build_spec, building_with
from tests.support.toys import Toy, plugged, toy, toy_plugins


def test_parameters_are_checked_and_defaults_filled_in() -> None:
    with building_with(toy_plugins()):
        assert cast(Toy, build("student", {"use": "toy"})).width == 8
        assert cast(Toy, build("student", {"use": "toy", "width": 5})).width == 5
        assert build("strategy", {"use": "ammkd", "C": 0.7}).cap == 0.7
        with pytest.raises(ValidationError, match="widht"):
            build("student", {"use": "toy", "widht": 5})


def test_a_plan_keeps_parameters_apart() -> None:
    with building_with(toy_plugins()):
        assert cast(Toy, build_spec("student", plugged("toy", "small", width=5))).width == 5


def test_a_name_that_is_not_there() -> None:
    with building_with(toy_plugins()):
        with pytest.raises(PluginError, match="no student is called 'toi'; did you mean 'toy'"):
            build("student", {"use": "toi"})
        with pytest.raises(PluginError, match="no teacher is called 'toy'"):
            build("teacher", {"use": "toy"})


@pytest.mark.parametrize("spec", [{}, {"use": None}, {"width": 5}])
def test_a_spec_without_use(spec: dict[str, object]) -> None:
    with building_with(toy_plugins()), pytest.raises(PluginError, match="the spec of a nested student is"):
        build("student", spec)


def test_plugins_given_count_as_long_as_they_are() -> None:
    other: list[Offer[Student]] = [Offer("other", toy)]
    with building_with(toy_plugins(students=other)):
        build("student", {"use": "other"})
        with building_with(toy_plugins()), pytest.raises(PluginError, match="no student is called 'other'"):
            build("student", {"use": "other"})
        build("student", {"use": "other"})
    with pytest.raises(PluginError, match="no student is called 'other'"):  # of this environment
        build("student", {"use": "other"})


def test_after_an_error_the_plugins_are_those_before() -> None:
    with pytest.raises(ZeroDivisionError), building_with(toy_plugins()):
        raise ZeroDivisionError
    with pytest.raises(PluginError, match="no student is called 'toy'"):
        build("student", {"use": "toy"})


def test_what_is_installed_is_found_and_importing_kdbench_stays_cheap() -> None:
    assert kdbench.build is build
    assert build("strategy", {"use": "equal"}) is not build("strategy", {"use": "equal"})
    names = ("torch", "numpy", "pydantic", "kdbench.plugins.loading")
    heavy = f"import kdbench, sys; print([m for m in {names} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
