"""Teachers, terms and strategies of a suite that do not fit each other are refused before anything is encoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kdbench import Dataset, KdbenchError, Offer, Strategy, hookimpl
from kdbench.errors import KdbenchWarning
from kdbench.plugins.loading import Plugins
from kdbench.suite.check import load_suite
from kdbench.testing import Shapes
from kdbench_plugins.objectives import feature, relational_kl, relational_within
from kdbench_plugins.strategies import confidence, cr_mogm, entropy, meta, mtkd_rl, rl_select, route, whiten_mtd
from kdbench_plugins.strategies.equal import Equal
from kdbench_plugins.teachers import embeddings, sentence_transformers

SuiteFile = Callable[..., Path]
BLIND = ("b: {use: lens, focal: 50.0}", "b: {use: sentence_transformers}")
BOTH = (confidence, entropy, meta, mtkd_rl, rl_select, whiten_mtd)


@pytest.fixture
def more(plugins: Plugins) -> Plugins:
    """Plugins of which some need both towers of every teacher."""
    for module in (feature, relational_kl, relational_within, sentence_transformers, cr_mogm, route, *BOTH):
        plugins.register(module, f"tests:{module.__name__}")
    return plugins


@pytest.fixture
def refused(suite_file: SuiteFile, more: Plugins) -> Callable[..., str]:
    """What a deep check of the tiny suite, edited, says; an empty text if nothing."""

    def check(*edits: tuple[str, str]) -> str:
        try:
            load_suite(suite_file(*edits), more, deep=True)
        except KdbenchError as error:
            return str(error)
        return ""

    return check


def test_terms_that_need_a_tower_that_a_teacher_lacks_are_refused(suite_file: SuiteFile, more: Plugins) -> None:
    """With the teacher's name, before anything is encoded; terms within a modality pass."""
    path = suite_file(BLIND, ("- {use: cosine}", "- use: relational_within"))
    assert load_suite(path, more, deep=True).objective[0].use == "relational_within"
    both = ("- {use: cosine}", "- use: relational_within\n  - use: relational_kl\nreferences: [a, b]")
    with pytest.raises(KdbenchError) as raised:
        load_suite(suite_file(BLIND, both), more, deep=True)
    found = str(raised.value)
    assert "relational_kl" in found
    assert "a term that does not need an image tower, which the teacher b lacks" in found
    assert "a teacher that can be evaluated itself; b lacks an image tower" in found
    assert found.count("lacks") == 2


def test_views_are_refused_for_a_teacher_of_plain_images(suite_file: SuiteFile, plugins: Plugins) -> None:
    """With the teacher's name, before anything is encoded; `clean` passes."""
    plugins.register(embeddings, "tests:embeddings")
    stored = ("b: {use: lens, focal: 50.0}", "b: {use: embeddings, miniature: true}")
    plain, views = "train: {epochs: 2, batch_size: 8}", "train: {{epochs: 2, batch_size: 8, views: {{count: 2, teachers: {}}}}}"
    assert load_suite(suite_file(stored, (plain, views.format("clean"))), plugins, deep=True).train.views is not None
    with pytest.raises(KdbenchError) as raised:
        load_suite(suite_file(stored, (plain, views.format("same"))), plugins, deep=True)
    assert "clean: the teacher b has no embeddings of augmented views" in str(raised.value)


@pytest.mark.parametrize("name", [module.__name__.rpartition(".")[2] for module in BOTH])
def test_strategies_that_need_a_tower_that_a_teacher_lacks_are_refused(name: str, refused: Callable[..., str]) -> None:
    """Alone, and inside another strategy; a team of one needs no strategy."""
    within = ("- {use: cosine}", "- use: feature")
    message = "a strategy that does not need an image tower, which the teacher b lacks"
    assert refused(BLIND, within) == ""
    for entry in (name, f"{{use: cr_mogm, strategy: {{use: {name}}}}}"):
        edit = ("- {use: ammkd, C: 0.6}", f"- {entry}")
        assert message in refused(BLIND, within, edit)
        alone = refused(BLIND, within, edit, ("  - [a, b]\n", "  - [b]\n"))
        assert "tower" not in alone


def test_strategies_that_weigh_pairs_need_terms_that_fuse_logits(refused: Callable[..., str]) -> None:
    pairs = ("- {use: ammkd, C: 0.6}", "- whiten_mtd")
    assert refused(pairs, ("- {use: cosine}", "- use: relational_kl")) == ""
    found = refused(pairs, ("- {use: cosine}", "- use: relational_kl\n  - use: feature"))
    assert found.endswith("expected  a strategy that does not weigh pairs: the term feature cannot fuse logits")


class Picky(Equal):
    """Compares itself with teams and datasets."""

    def __init__(self, *, says: str = "") -> None:
        self.says = says

    def check_teams(self, teams: Sequence[Sequence[str]], dataset: Dataset | None) -> None:
        found = f"{teams} {dataset and dataset.fingerprint}"
        raise KdbenchError(f"picky: found {found}") if not self.says else IndexError(self.says)


class Offered:
    @hookimpl
    def kdbench_strategies(self) -> list[Offer[Strategy]]:
        return [Offer("picky", Picky)]


def test_a_strategy_compares_its_parameters_with_teams_and_datasets(suite_file: SuiteFile, plugins: Plugins) -> None:
    """With its line in the suite; of a smoke run, whose data are others, with teams alone. Not by every command."""
    plugins.register(Offered(), "tests:offered")
    path = suite_file(("- {use: ammkd, C: 0.6}", "- picky"))
    for smoke, data in ((False, "shapes-3"), (True, "None")):
        with pytest.raises(KdbenchError) as raised:
            load_suite(path, plugins, deep=True, smoke=smoke)
        assert str(raised.value) == f"{path}:16: strategies[1]\n  picky: found [['a', 'b']] {data}"
    load_suite(path, plugins)
    load_suite(suite_file(("- {use: ammkd, C: 0.6}", "- picky"), ("  - [a, b]\n", "")), plugins, deep=True)
    with pytest.raises(KdbenchError, match=r"the strategy picky raised IndexError: no such place \(test_team_checks.py"):
        load_suite(suite_file(("- {use: ammkd, C: 0.6}", "- {use: picky, says: no such place}")), plugins, deep=True)


class Numbered:
    @hookimpl
    def kdbench_datasets(self) -> list[Offer[Dataset]]:
        return [Offer("numbered", Shapes)]


def test_routes_are_compared_with_the_dataset(suite_file: SuiteFile, more: Plugins) -> None:
    more.register(Numbered(), "tests:numbered")
    data = ("- use: shapes", "- use: numbered")

    def checked(routes: str) -> None:
        load_suite(suite_file(data, ("- {use: ammkd, C: 0.6}", f"- {{use: route, routes: {routes}}}")), more, deep=True)

    checked('{"*": a}')
    with pytest.raises(
        KdbenchError, match=r"strategies\[1\]\n  route: found .* images of the train split without a route to a, b"
    ):
        checked('{"photos/*": a}')
    with pytest.warns(KdbenchWarning, match=r"learn from all teachers alike"):
        checked('{"*0": a}')
