"""Which engine a run is given to, and what is said where the options do not fit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kdbench import KdbenchError
from kdbench.cli.engine_options import Engine, addresses, resources_examples, where
from kdbench.engines.choice import Where
from kdbench.engines.local import LocalEngine
from kdbench.engines.ray import RayEngine
from kdbench.engines.resources import parse_resources
from tests.support.paths import ROOT

QUICKSTART = str(ROOT / "suites/quickstart.yaml")
Typed = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "rya"], "'rya' is not one of"),
        (["--address", "auto"], "--address: found 'auto' without --engine ray"),
        (["--resources", "{cpus: 2}"], "--resources: found '{cpus: 2}' without --engine ray"),
        (["--engine", "ray", "--resources", "{cpu: 2}"], "did you mean 'cpus'?"),
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


def test_the_engine_asked_for_is_made(tmp_path: Path) -> None:
    folders = (tmp_path / "results", tmp_path / "cache")
    local = Where().made(*folders, "cpu", None, print)
    assert isinstance(local, LocalEngine)
    ray = where(Engine.ray, "auto", "{cpus: 2}").made(*folders, "cpu", 3, print)
    assert isinstance(ray, RayEngine)
    assert (ray.results, ray.cache, ray.device, ray.jobs) == (*folders, "cpu", 3)
    assert (ray.address, ray.resources.cpus) == ("auto", 2)
    assert local.jobs >= 1


def test_what_is_completed_is_accepted() -> None:
    assert [value for value, _ in addresses("a")] == ["auto"]
    assert len(addresses("")) == 2
    for text in resources_examples("{"):
        parse_resources(text)
    with pytest.raises(KdbenchError):
        parse_resources("{")
