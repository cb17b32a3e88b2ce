"""Plugins of strangers: found, told apart, and kept from taking each other down."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import Field

from kdbench import Offer, PluginError, hookimpl
from kdbench.errors import KdbenchWarning
from kdbench.plugins.loading import HOOKS, KINDS, Listed, Plugins
from kdbench.suite.schema import SUITE_KINDS, json_schema

if TYPE_CHECKING:
    from decimal import Decimal

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


class ReturnsOne:
    @hookimpl
    def kdbench_strategies(self) -> Any:
        return Offer("one", dict)


class RaisesWhileListing:
    @hookimpl
    def kdbench_strategies(self) -> Any:
        yield Offer("half", dict)
        raise RuntimeError("the other half is missing")


class Exits:
    @hookimpl
    def kdbench_strategies(self) -> Any:
        sys.exit(3)


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
        ("acmesyntax", "def (", "SyntaxError: invalid syntax (acmesyntax_plugin.py, line 2)"),
        ("acmename", "\nTABLE = 3\nprint(TABEL)", "NameError: name 'TABEL' is not defined (acmename_plugin.py, line 4)"),
        (
            "acmeexits",
            "import sys\nprint('bye')\nsys.exit('no licence')",
            "SystemExit: no licence (acmeexits_plugin.py, line 4)",
        ),
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
        (Raises(), "RuntimeError: no licence server (test_loading.py, line 35)"),
        (ReturnsNames(), "PluginError: kdbench_strategies must return Offer objects; found 'soft'"),
        (ReturnsNothing(), "PluginError: kdbench_strategies must return a list of Offer objects; found None"),
        (ReturnsOne(), f"PluginError: kdbench_strategies must return a list of Offer objects; found {Offer('one', dict)!r}"),
        (RaisesWhileListing(), "RuntimeError: the other half is missing (test_loading.py, line 60)"),
        (Exits(), "SystemExit: 3 (test_loading.py, line 66)"),
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
        plugins.find("strategy", "soft")
    assert str(raised.value).startswith("two plugins offer the strategy 'soft': ")
    assert {"acme:soft", "umbrella:soft"} <= set(str(raised.value).replace(";", "").split())
    assert list(plugins.offers("strategy")) == ["ammkd", "equal", "fixed"]  # who does not ask for it is untouched
    assert set(plugins.broken) == {"acme:soft", "umbrella:soft"}


def test_a_name_of_kdbench_stays_kdbenchs(plugins: Plugins) -> None:
    """Published records mean kdbench's own plugin by that name."""

    class Equal:
        @hookimpl
        def kdbench_strategies(self) -> list[Offer[Any]]:
            return [Offer("equal", dict), Offer("mine", dict)]

    plugins.register(Equal(), "acme:equal")
    assert list(plugins.offers("strategy")) == ["ammkd", "equal", "fixed", "mine"]
    assert "two plugins offer the strategy 'equal': " in plugins.broken["acme:equal"]
    with pytest.warns(KdbenchWarning, match="acme:equal.*kdbench's own is used"):
        assert plugins.find("strategy", "equal").provider == "kdbench:equal"


def untyped(*, scale=1.0) -> None:  # type: ignore[no-untyped-def]
    raise AssertionError(scale)


def none_for_a_number(*, tau: float = None) -> None:  # type: ignore[assignment]  # noqa: RUF013
    raise AssertionError(tau)


def below_its_limit(*, count: Annotated[int, Field(ge=1)] = 0) -> None:
    raise AssertionError(count)


def checkers_only(*, price: Decimal) -> None:
    raise AssertionError(price)


@pytest.mark.parametrize(
    ("build", "error"),
    [
        (untyped, "wrong: parameter 'scale' of its builder has no type; its type is its schema"),
        (lambda *widths: widths, "wrong: its builder takes '*widths'; expected parameters given by name"),
        (Soft(), "wrong: Offer.build is an instance of Soft, expected its class; write Offer(…, Soft)"),
        (none_for_a_number, "wrong: the default None of tau is no float"),
        (below_its_limit, "wrong: the default 0 of count is no int (Input should be greater than or equal to 1)"),
        (checkers_only, "`price`; import Decimal outside `if TYPE_CHECKING`"),
    ],
)
def test_an_offer_whose_signature_is_no_schema_is_set_aside_alone(build: Any, error: str, plugins: Plugins) -> None:
    """Neither its provider's other offers nor the schema of suites suffer."""

    class Shop:
        @hookimpl
        def kdbench_strategies(self) -> list[Offer[Any]]:
            return [Offer("wrong", build), Offer("right", Soft)]

    plugins.register(Shop(), "acme:shop")
    assert list(plugins.offers("strategy")) == ["ammkd", "equal", "fixed", "right"]
    assert error in plugins.broken["acme:shop"]
    with pytest.raises(PluginError, match="no strategy is called 'wrong'") as raised:
        plugins.find("strategy", "wrong")
    assert error in str(raised.value)
    assert json_schema(plugins)["$defs"]


def test_a_hook_without_its_mark_is_told() -> None:
    """pluggy passes over it without a word."""

    class Unmarked:
        def kdbench_strategies(self) -> list[Offer[Any]]:
            return [Offer("soft", dict)]

        def kdbench_strategys(self) -> list[Offer[Any]]:
            return []

    plugins = Plugins()
    plugins.register(Unmarked(), "acme:unmarked")
    assert "kdbench_strategies is not marked with @hookimpl and is not called" in plugins.broken["acme:unmarked"]
    assert "kdbench_strategys is not marked" in plugins.broken["acme:unmarked"]
    assert "did you mean 'kdbench_strategies'?" in plugins.broken["acme:unmarked"]


def test_what_a_plugin_prints_is_no_output_of_a_command(capsys: pytest.CaptureFixture[str], plugins: Plugins) -> None:
    """`kdbench schema > file` stays JSON."""

    class Talks:
        @hookimpl
        def kdbench_strategies(self) -> list[Offer[Any]]:
            print("hello")
            return []

    plugins.register(Talks(), "acme:talks")
    plugins.offers("strategy")
    assert capsys.readouterr() == ("", "hello\n")


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
