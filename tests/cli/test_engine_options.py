"""Which engine a run is given to, and what is said if the options do not fit."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from kdbench import KdbenchError
from kdbench.cli.engine_options import addresses, chosen_engine, engine_names, resources_examples
from kdbench.plugins.loading import Plugins, installed
from kdbench_plugins.engines.local import Local
from kdbench_plugins.engines.ray import Ray
from tests.support.paths import ROOT

QUICKSTART = str(ROOT / "suites/quickstart.yaml")
Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def plugins() -> Plugins:
    return installed()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "rya"], "--engine: use\n  found     'rya'"),
        (["--engine", "rya"], "did you mean 'ray'?"),
        (["--engine", "[ray]"], "--engine: found '[ray]', expected an engine's name or a map"),
        (["--address", "auto"], "--address: found 'auto' without --engine ray"),
        (["--resources", "{cpus: 2}"], "--resources: found '{cpus: 2}' without --engine ray"),
        (["--engine", "ray", "--resources", "{cpu: 2}"], "did you mean 'cpus'?"),
        (["--engine", "ray", "--resources", "4"], "--resources: found '4', expected a map such as"),
        (["--engine", "{use: ray, addres: auto}"], "did you mean 'address'?"),
        (["--engine", "ray", "--address", "localhost:1", "--smoke"], "--address: found 'localhost:1', where no Ray cluster"),
    ],
)
def test_options_that_do_not_fit_end_with_2(arguments: list[str], message: str, typed: Typed) -> None:
    code, out, err = typed("run", QUICKSTART, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_without_ray_it_says_what_to_install(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = typed("run", QUICKSTART, "--engine", "ray", "--smoke")
    assert code == 2
    assert "pip install 'kdbench[ray]'" in err


def test_the_engine_that_is_named_is_made(plugins: Plugins) -> None:
    assert isinstance(chosen_engine(plugins, "local"), Local)
    for made in (
        chosen_engine(plugins, "ray", "auto", "{cpus: 2}"),
        chosen_engine(plugins, "{use: ray, address: auto, cpus: 2}"),
        chosen_engine(plugins, "{use: ray, address: elsewhere, cpus: 1}", "auto", "{cpus: 2}"),
    ):
        assert isinstance(made, Ray)
        assert (made.address, made.cpus) == ("auto", 2)


def test_what_is_completed_is_accepted(plugins: Plugins) -> None:
    assert [name for name, _ in engine_names("")] == ["in_process", "local", "ray"]
    assert [name for name, _ in engine_names("r")] == ["ray"]
    assert [value for value, _ in addresses("a")] == ["auto"]
    assert len(addresses("")) == 2
    for text in resources_examples("{"):
        chosen_engine(plugins, "ray", None, text)
    with pytest.raises(KdbenchError):
        chosen_engine(plugins, "ray", None, "{")
