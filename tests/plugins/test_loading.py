"""Plugins of strangers: found, told apart, and kept from taking each other down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdbench import Offer, PluginError, hookimpl
from kdbench.errors import KdbenchWarning
from kdbench.plugins.loading import HOOKS, KINDS, Listed, Plugins
from kdbench.suite.schema import SUITE_KINDS

Distribution = Callable[[str, str], Path]

GOOD = "@hookimpl\ndef kdbench_strategies():\n    return [Offer('soft', dict, 'a soft one')]"


class Soft:
    @hookimpl
    def kdbench_strategies(self) -> list[Offer[Any]]:
        return [Offer("soft", dict)]


class Raises:
    @hookimpl
    def kdbench_strategies(self) -> list[Offer[Any]]:
        raise RuntimeError("no licence server")


class ReturnsNames:
    @hookimpl
    def kdbench_strategies(self) -> list[Any]:
        return ["soft"]


class ReturnsNothing:
    @hookimpl
    def kdbench_strategies(self) -> None:
        """The author forgot `return`."""


class RaisesWhileListing:
    @hookimpl
    def kdbench_strategies(self) -> Any:
        yield Offer("half", dict)
        raise RuntimeError("the other half is missing")


class Misspelt:
    @hookimpl
    def kdbench_strategys(self) -> list[Offer[Any]]:
        return []


class WrongArguments:
    @hookimpl
    def kdbench_run_started(self, run: str) -> None: ...


def test_offers_are_listed_by_name_with_their_provider(plugins: Plugins) -> None:
    assert list(plugins.offers("strategy")) == ["ammkd", "equal", "fixed"]
    found = plugins.find("dataset", "shapes")
    assert isinstance(found, Listed)
    assert (found.offer.name, found.provider) == ("shapes", "tests:tiny")
    assert {kind for kind in KINDS if plugins.offers(kind)} == {"task", *SUITE_KINDS}
    assert set(KINDS) == set(HOOKS)


def test_entry_points_are_found(distribution: Distribution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(distribution("acmegood", GOOD))
    plugins = Plugins().load()
    assert plugins.find("strategy", "soft").provider == "acmegood:plugin"
    assert "equal" in plugins.offers("strategy")


@pytest.mark.parametrize(
    ("name", "source", "error"),
    [
        ("acmeraises", "raise RuntimeError('out of order')", "RuntimeError: out of order"),
        ("acmelacks", "import a_library_nobody_has", "ModuleNotFoundError: No module named 'a_library_nobody_has'"),
        ("acmesyntax", "def (", "SyntaxError: invalid syntax"),
    ],
)
def test_one_that_raises_on_import_is_set_aside(
    name: str, source: str, error: str, distribution: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others work, and its error is quoted where a name is asked that it may have offered."""
    monkeypatch.syspath_prepend(distribution(name, source))
    plugins = Plugins().load()
    assert plugins.broken[f"{name}:plugin"].startswith(error)
    assert plugins.find("strategy", "equal").offer.name == "equal"
    with pytest.raises(PluginError) as raised:
        plugins.find("strategy", "soft")
    assert "no strategy is called 'soft'" in str(raised.value)
    assert f"{name}:plugin: {error}" in str(raised.value)


def test_a_misspelt_hook_of_an_entry_point_is_set_aside(distribution: Distribution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(distribution("acmetypo", "@hookimpl\ndef kdbench_strategys():\n    return []"))
    plugins = Plugins().load()
    assert "unknown hook 'kdbench_strategys'" in plugins.broken["acmetypo:plugin"]
    assert "equal" in plugins.offers("strategy")


@pytest.mark.parametrize(
    ("plugin", "error"),
    [
        (Raises(), "RuntimeError: no licence server"),
        (ReturnsNames(), "PluginError: kdbench_strategies must return Offer objects; found 'soft'"),
        (ReturnsNothing(), "TypeError: 'NoneType' object is not iterable"),
        (RaisesWhileListing(), "RuntimeError: the other half is missing"),
    ],
)
def test_a_hook_that_goes_wrong_is_set_aside(plugin: object, error: str, plugins: Plugins) -> None:
    plugins.register(plugin, "tests:wrong")
    assert list(plugins.offers("strategy")) == ["ammkd", "equal", "fixed"]
    assert plugins.broken == {"tests:wrong": error}
    with pytest.raises(PluginError, match="tests:wrong: ") as raised:
        plugins.find("strategy", "soft")
    assert error in str(raised.value)


@pytest.mark.parametrize(("plugin", "hook"), [(Misspelt(), "kdbench_strategys"), (WrongArguments(), "kdbench_run_started")])
def test_a_hook_that_does_not_exist_is_an_error(plugin: object, hook: str, plugins: Plugins) -> None:
    with pytest.raises(PluginError, match=hook):
        plugins.register(plugin, "tests:wrong")
    plugins.register(Soft(), "tests:soft")  # and leaves nothing behind that another would stumble on
    assert "soft" in plugins.offers("strategy")
    assert "tests:wrong" not in dict(plugins.manager.list_name_plugin())


def test_a_clash_names_both_providers(plugins: Plugins) -> None:
    plugins.register(Soft(), "acme:soft")
    plugins.register(Soft(), "umbrella:soft")
    with pytest.raises(PluginError) as raised:
        plugins.offers("strategy")
    assert str(raised.value).startswith("two plugins offer the strategy 'soft': ")
    assert {"acme:soft", "umbrella:soft"} <= set(str(raised.value).replace(";", "").split())
    assert plugins.offers("dataset")  # other kinds are untouched


def test_one_name_may_be_of_two_kinds(plugins: Plugins) -> None:
    class Twice:
        @hookimpl
        def kdbench_students(self) -> list[Offer[Any]]:
            return [Offer("equal", dict)]

    plugins.register(Twice(), "tests:twice")
    assert plugins.find("student", "equal").provider != plugins.find("strategy", "equal").provider


def test_an_unknown_name_gets_the_nearest(plugins: Plugins) -> None:
    with pytest.raises(PluginError) as raised:
        plugins.find("strategy", "eqaul")
    assert str(raised.value) == "no strategy is called 'eqaul'; did you mean 'equal'?"


class Listener:
    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    @hookimpl
    def kdbench_epoch_finished(self, run_id: str, metrics: dict[str, float]) -> None:
        self.heard.append((run_id, metrics))


class Loud:
    @hookimpl
    def kdbench_epoch_finished(self, epoch: int) -> None:
        raise ConnectionError(f"epoch {epoch} was not sent")


class Shop:
    """Offers a tracker, which is told nothing as long as nobody asks for it."""

    @hookimpl
    def kdbench_trackers(self) -> list[Offer[Any]]:
        return [Offer("listener", Listener, "hears")]


def test_an_offered_tracker_hears_once_it_is_built_and_registered(plugins: Plugins) -> None:
    plugins.register(Shop(), "tests:shop")
    assert list(plugins.offers("tracker")) == ["listener"]
    found = plugins.find("tracker", "listener")
    assert (found.provider, found.offer.summary) == ("tests:shop", "hears")
    plugins.notify("kdbench_epoch_finished", run_id="r", epoch=1, metrics={})
    listener = found.offer.build()
    plugins.register(listener, "listener")
    plugins.notify("kdbench_epoch_finished", run_id="r", epoch=2, metrics={"loss": 0.5})
    assert listener.heard == [("r", {"loss": 0.5})]
    with pytest.raises(PluginError, match="no tracker is called 'listner'; did you mean 'listener'"):
        plugins.find("tracker", "listner")


@pytest.mark.parametrize("loud_first", [True, False])
def test_a_tracker_that_raises_stops_nobody(loud_first: bool, plugins: Plugins) -> None:
    listener = Listener()
    for tracker, name in sorted([(Loud(), "tests:loud"), (listener, "tests:quiet")], key=lambda t: t[1], reverse=loud_first):
        plugins.register(tracker, name)
    with pytest.warns(KdbenchWarning, match="tracker tests:loud raised ConnectionError: epoch 3 was not sent"):
        plugins.notify("kdbench_epoch_finished", run_id="r", epoch=3, metrics={"loss": 1.0})
    assert listener.heard == [("r", {"loss": 1.0})]


def test_nobody_listens(plugins: Plugins) -> None:
    plugins.notify("kdbench_run_started", run_id="r", spec={})
