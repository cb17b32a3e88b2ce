"""Every hook is documented, and every first-party plugin comes in by one."""

from __future__ import annotations

import ast
import inspect
import textwrap
import tomllib
from importlib.metadata import EntryPoint

import pytest

from kdbench.contracts import hookspecs
from kdbench.plugins.loading import HOOKS, KINDS, Kind, Plugins
from kdbench.plugins.parameters import construct, params_model
from tests.support.paths import ROOT

SPECS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("kdbench_")}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ENTRY_POINTS: dict[str, str] = PYPROJECT["project"]["entry-points"]["kdbench"]


def test_there_is_a_hook_for_every_kind() -> None:
    assert set(HOOKS.values()) <= set(SPECS)
    assert len(SPECS) == len(HOOKS) + 6  # started, progress, epoch, finished; taps and exposing_teacher


@pytest.mark.parametrize("name", SPECS)
def test_a_hook_has_an_example_that_parses_and_implements_it(name: str) -> None:
    summary, _, example = (SPECS[name].__doc__ or "").partition("Example::")
    assert summary.strip(), "no summary"
    assert example.strip(), "no Example:: in its docstring"
    tree = ast.parse(textwrap.dedent(example))
    (found,) = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name]
    assert [ast.unparse(decorator) for decorator in found.decorator_list] == ["hookimpl"]
    assert {argument.arg for argument in found.args.args} <= set(inspect.signature(SPECS[name]).parameters)


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_a_first_party_entry_point_loads_and_offers(name: str) -> None:
    """Each has a summary, and parameters that can be checked before anything is built; or it says what models expose."""
    plugins = Plugins()
    plugins.register(EntryPoint(name, ENTRY_POINTS[name], "kdbench").load(), name)
    if plugins.manager.hook.kdbench_taps.get_hookimpls():
        return
    listed = [found for kind in KINDS for found in plugins.offers(kind).values()]
    assert listed
    assert not plugins.broken
    for found in listed:
        assert found.offer.summary
        params_model(found.offer)


def test_first_party_names_are_told_apart() -> None:
    plugins = Plugins().load([EntryPoint(name, value, "kdbench") for name, value in ENTRY_POINTS.items()])
    assert not plugins.broken
    for kind in set(KINDS) - {"tracker"}:
        assert plugins.offers(kind), f"no {kind} is offered"


def test_first_party_methods_say_what_they_are() -> None:
    """Formula, source and status of every strategy and objective; parameters to show and test with where some are needed."""
    plugins = Plugins().load([EntryPoint(name, value, "kdbench") for name, value in ENTRY_POINTS.items()])
    kinds: list[Kind] = ["strategy", "objective"]
    for kind in kinds:
        for name, found in plugins.offers(kind).items():
            for said in ("formula", "source", "status"):
                assert getattr(found.offer, said), f"{kind} {name} has no {said}"
            assert "\n" not in found.offer.formula
            assert construct(found.offer, dict(found.offer.example))
