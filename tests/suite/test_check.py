"""Suites that are wrong, and what is said about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kdbench import Dataset, Offer, Split, SplitName, hookimpl
from kdbench.errors import SuiteError
from kdbench.plugins.loading import Plugins, installed
from kdbench.plugins.parameters import construct
from kdbench.suite.check import load_suite
from kdbench.suite.model import Suite
from kdbench.suite.plan import plan
from kdbench.suite.spec import PluginSpec, TermSpec
from kdbench.tasks import zero_shot
from kdbench.testing import Shapes
from kdbench_plugins.datasets import class_folders
from tests.support import regression_task
from tests.support.paths import ROOT

SuiteFile = Callable[..., Path]

TRAIN_KEYS = (
    "one of batch_size, channels_last, checkpoint_every, clip_norm, compile, devices, distill, ema, epochs, loss, lr, "
    "lr_scale, micro_batch, precision, stages, task, views, warmup, weight_decay"
)
TOP_KEYS = (
    "one of datasets, description, evaluate, extends, folds, latency, name, objective, race, references, regimes, seeds, "
    "strategies, students, sweep, teachers, teams, timeout, train, variants"
)
AMMKD, LENS_A, LENS_B = "{use: ammkd, C: 0.6}", "{use: lens, focal: 35.0}", "{use: lens, focal: 50.0}"


@dataclass(frozen=True)
class Wrong:
    """The tiny suite with `old` replaced by `new`, and the one problem that it has."""

    old: str
    new: str
    line: int
    path: str
    found: str
    expected: str
    hint: str = ""


BROKEN = {
    "unknown top-level key": Wrong("train: {", "trian: {", 19, "trian", "'trian'", TOP_KEYS, "did you mean 'train'?"),
    "unknown train key": Wrong("epochs: 2", "epochz: 2", 19, "train.epochz", "'epochz'", TRAIN_KEYS, "did you mean 'epochs'?"),
    "nothing to learn from": Wrong(
        "epochs: 2",
        "epochs: 2, task: 0",
        11,
        "teams[0]",
        "[]",
        "a team with teachers: `train.task: 0` leaves nothing else to learn from",
    ),
    "unknown loss": Wrong(
        "epochs: 2",
        "epochs: 2, loss: siglib",
        19,
        "train.loss",
        "'siglib'",
        "a loss of the task 'retrieval': clip, siglip",
        "did you mean 'siglip'?",
    ),
    "unknown evaluate key": Wrong(
        "recall_at", "recal_at", 20, "evaluate.recal_at", "'recal_at'",
        "one of also, batch_size, every, margin, positives, primary, recall_at",
        "did you mean 'recall_at'?",
    ),
    "unknown strategy": Wrong(
        "- equal", "- eqaul", 15, "strategies[0].use", "'eqaul'", "a strategy: ammkd, equal, fixed", "did you mean 'equal'?"
    ),
    "unknown dataset": Wrong(
        "use: shapes", "use: shape", 4, "datasets[0].use", "'shape'", "a dataset: shapes", "did you mean 'shapes'?"
    ),
    "unknown student": Wrong(
        "use: pebble", "use: pebbel", 6, "students[0].use", "'pebbel'", "a student: pebble", "did you mean 'pebble'?"
    ),
    "unknown teacher plugin": Wrong(
        LENS_B, "{use: lense, focal: 50.0}", 9, "teachers.b.use", "'lense'", "a teacher: lens, tutor", "did you mean 'lens'?"
    ),
    "unknown term": Wrong(
        "use: cosine", "use: cosin", 18, "objective[0].use", "'cosin'", "an objective: cosine", "did you mean 'cosine'?"
    ),
    "no use": Wrong(LENS_A, "{focal: 35.0}", 8, "teachers.a.use", "nothing", "`use:` with a teacher: lens, tutor"),
    "use is a list": Wrong(
        "- equal", "- use: [equal]", 15, "strategies[0].use", "['equal']", "`use:` with a strategy: ammkd, equal, fixed"
    ),
    "misspelt parameter": Wrong(
        AMMKD, "{use: ammkd, normalise: l2}", 16, "strategies[1].normalise", "'normalise'", "one of C, normalize, space",
        "did you mean 'normalize'?",
    ),
    "parameter in the wrong case": Wrong(
        AMMKD, "{use: ammkd, c: 0.6}", 16, "strategies[1].c", "'c'", "one of C, normalize, space", "did you mean 'C'?"
    ),
    "string for number": Wrong(
        AMMKD, "{use: ammkd, C: '0.6'}", 16, "strategies[1].C", "'0.6'", "a number", "write 0.6 without quotes"
    ),
    "number for string": Wrong("use: shapes", "use: shapes\n    folder: 3", 5, "datasets[0].folder", "3", "a string"),
    "whole number for bool": Wrong(
        "focal: 35.0", "focal: 35.0, coated: 1", 8, "teachers.a.coated", "1", "true or false"
    ),
    "bool for number": Wrong("C: 0.6", "C: true", 16, "strategies[1].C", "True", "a number"),
    "bool for whole number": Wrong(
        "use: pebble", "use: pebble\n    width: true", 7, "students[0].width", "True", "a whole number"
    ),
    "fraction for whole number": Wrong("epochs: 2", "epochs: 2.5", 19, "train.epochs", "2.5", "a whole number"),
    "parameter out of range": Wrong("C: 0.6", "C: 1.5", 16, "strategies[1].C", "1.5", "less than or equal to 1"),
    "setting out of range": Wrong("epochs: 2", "epochs: 0", 19, "train.epochs", "0", "greater than or equal to 1"),
    "not one of the choices": Wrong(
        "C: 0.6", "normalize: l3", 16, "strategies[1].normalize", "'l3'", "'none' or 'l2'"
    ),
    "an item of a parameter": Wrong(
        AMMKD, "{use: fixed, weights: {a: 1, b: -1}}", 16, "strategies[1].weights.b", "-1", "greater than or equal to 0"
    ),
    "missing parameter": Wrong(LENS_A, "{use: lens}", 8, "teachers.a.focal", "nothing", "a value; it has no default"),
    "missing parameter of a shorthand": Wrong(LENS_A, "lens", 8, "teachers.a.focal", "nothing", "a value; it has no default"),
    "missing key": Wrong("name: tiny\n", "description: tiny\n", 1, "name", "nothing", "a value; it has no default"),
    "K beyond the candidates": Wrong(
        "[1, 5]", "[1, 11]", 20, "evaluate.recall_at[1]", "11", "at most 10, the candidates in shapes's test split"
    ),
    "batch beyond the split": Wrong(
        "batch_size: 8", "batch_size: 41", 19, "train.batch_size", "41", "at most 40, the images in shapes's train split"
    ),
    "team of an unknown teacher": Wrong(
        "[a, b]", "[a, bb]", 13, "teams[2][1]", "'bb'", "a key of `teachers:`: a, b", "did you mean 'b'?"
    ),
    "teacher twice in a team": Wrong("[a, b]", "[a, a]", 13, "teams[2]", "['a', 'a']", "each teacher once"),
    "team twice": Wrong(
        "- [a, b]", "- [a, b]\n  - [a]", 14, "teams[3]", "['a']", "a team not listed yet; it is teams[1] as well"
    ),
    "seed twice": Wrong("[0, 1]", "[0, 1,\n  0]", 3, "seeds[2]", "0", "each seed once"),
    "negative seed": Wrong("[0, 1]", "[0, -1]", 2, "seeds[1]", "-1", "greater than or equal to 0"),
    "label twice": Wrong(
        "C: 0.6", "name: equal", 16, "strategies[1]", "'equal'", "a unique label", "give each a `name:` of its own"
    ),
    "label that is a number": Wrong(AMMKD, "{use: ammkd, name: 3}", 16, "strategies[1].name", "3", "a string"),
    "team of two without strategies": Wrong(
        "strategies:\n  - equal\n  - {use: ammkd, C: 0.6}\n", "", 13, "teams[2]", "['a', 'b']",
        "at least one entry in `strategies:`, for a team of two or more",
    ),
    "coefficient that is a word": Wrong(
        "{use: cosine}", "{use: cosine, coefficient: yes}", 18, "objective[0].coefficient", "'yes'", "a finite number"
    ),
    "nested plugin": Wrong(
        LENS_A, "{use: tutor, student: {use: pebbles}}", 8, "teachers.a.student.use", "'pebbles'", "a student: pebble",
        "did you mean 'pebble'?",
    ),
    "parameter of a nested plugin": Wrong(
        LENS_A, "{use: tutor, student: {use: pebble, widht: 4}}", 8, "teachers.a.student.widht", "'widht'",
        "one of shade, width", "did you mean 'width'?",
    ),
    "nested plugin without use": Wrong(
        LENS_A, "{use: tutor, student: {width: 4}}", 8, "teachers.a.student.use", "nothing", "`use:` with a student: pebble"
    ),
    "string for a list": Wrong("[0, 1]", "zero", 2, "seeds", "'zero'", "a list"),
    "list for a map": Wrong("{epochs: 2, batch_size: 8}", "[2, 8]", 19, "train", "[2, 8]", "a map"),
    "number for an entry": Wrong("- equal", "- 3", 15, "strategies[0]", "3", "a map"),
}  # fmt: skip


def complaint(path: Path, plugins: Plugins, overrides: list[str] | None = None) -> str:
    with pytest.raises(SuiteError) as raised:
        load_suite(path, plugins, overrides)
    return str(raised.value)


@pytest.mark.parametrize("wrong", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_wrong_is_said(wrong: Wrong, suite_file: SuiteFile, plugins: Plugins) -> None:
    path = suite_file((wrong.old, wrong.new))
    lines = [f"{path}:{wrong.line}: {wrong.path}", f"  found     {wrong.found}", f"  expected  {wrong.expected}"]
    assert complaint(path, plugins) == "\n".join([*lines, *([f"  {wrong.hint}"] if wrong.hint else [])])


def test_the_tiny_suite_is_fine(suite_file: SuiteFile, plugins: Plugins) -> None:
    """Every suite above differs from this one in a single place."""
    suite = load_suite(suite_file(), plugins)
    params = {"C": 0.6, "normalize": "none", "space": "embedding"}
    assert suite.strategies == [
        PluginSpec(name="equal", use="equal"),
        PluginSpec(name="ammkd", use="ammkd", params=params, defaults=params),
    ]
    lens = {"focal": 35.0, "coated": False}
    assert suite.teachers["a"] == PluginSpec(name="a", use="lens", params=lens, defaults={"coated": False})
    power = {"power": 1.0}
    assert suite.objective == [TermSpec(name="cosine", use="cosine", params=power, defaults=power, coefficient=1.0)]
    own, default = ({"recall_at": at, "positives": False, "primary": "rsum"} for at in ([1, 5], [1, 5, 10]))
    assert suite.task == PluginSpec(name="retrieval", use="retrieval", params=own, defaults=default)
    assert (suite.seeds, suite.teams) == ([0, 1], [[], ["a"], ["a", "b"]])


def test_quickstart_is_fine() -> None:
    """With the real plugins; no teachers, one of each, and both under two strategies."""
    runs = plan(load_suite(ROOT / "suites/quickstart.yaml", installed()))
    assert [(len(run.team), run.strategy and run.strategy.use) for run in runs] == [
        (0, None),
        (1, None),
        (1, None),
        (2, "equal"),
        (2, "ammkd"),
    ]


def test_a_setting_of_another_task_is_told_whose_it_is() -> None:
    """A reader of the reference may take it for one of every suite."""
    told = "found     \\[3\\]\n  expected  a setting of the task 'retrieval'; in `evaluate.also`, 'zero_shot' has its defaults"
    with pytest.raises(SuiteError, match=told):
        load_suite(ROOT / "suites/quickstart.yaml", installed(), ["evaluate.top=[3]"])


def test_shorthand(suite_file: SuiteFile, plugins: Plugins) -> None:
    short = load_suite(suite_file(("- use: shapes", "- shapes"), ("- use: pebble", "- pebble")), plugins)
    assert short == load_suite(suite_file(), plugins)


def test_labels(suite_file: SuiteFile, plugins: Plugins) -> None:
    suite = load_suite(suite_file(("- equal", "- {use: ammkd, name: half, C: 0.5}")), plugins)
    assert [(spec.name, spec.use) for spec in suite.strategies] == [("half", "ammkd"), ("ammkd", "ammkd")]


def test_a_nested_plugin_has_its_defaults(suite_file: SuiteFile, plugins: Plugins) -> None:
    suite = load_suite(suite_file((LENS_A, "{use: tutor, student: {use: pebble, width: 4}}")), plugins)
    assert suite.teachers["a"].params == {"student": {"use": "pebble", "width": 4, "shade": "grey"}, "lessons": 3}


def test_teams_that_teach_need_an_objective(suite_file: SuiteFile, plugins: Plugins) -> None:
    path = suite_file(("objective:\n  - {use: cosine}\n", ""))
    expected = "an `objective:` with at least one term, for a team with teachers"
    assert complaint(path, plugins) == (
        f"{path}:12: teams[1]\n  found     ['a']\n  expected  {expected}\n"
        f"{path}:13: teams[2]\n  found     ['a', 'b']\n  expected  {expected}"
    )


def test_a_suite_without_teachers_needs_neither(suite_file: SuiteFile, plugins: Plugins) -> None:
    path = suite_file()
    path.write_text("name: plain\ndatasets: [shapes]\nstudents: [pebble]\ntrain: {batch_size: 8}\nevaluate: {recall_at: [1]}\n")
    suite = load_suite(path, plugins)
    assert (suite.teams, suite.seeds, suite.strategies, suite.objective) == ([[]], [0], [], [])


@pytest.mark.parametrize("text", ["", "# later\n", "- a\n- b\n", "suite\n"])
def test_a_file_that_is_no_map(text: str, suite_file: SuiteFile, plugins: Plugins) -> None:
    path = suite_file()
    path.write_text(text)
    message = " ".join(complaint(path, plugins).split())
    assert message.startswith(f"{path}:1: ")
    assert "expected a map" in message
    assert "NoneType" not in message  # a word of Python, not of YAML


def places(message: str) -> list[str]:
    return [line.rpartition("/")[2] for line in message.splitlines() if not line.startswith(" ")]


def test_several_problems_in_the_order_of_the_file(suite_file: SuiteFile, plugins: Plugins) -> None:
    path = suite_file(
        ("[a, b]", "[a, c]"), ("- equal", "- eqaul"), ("focal: 35.0", "focl: 35.0"), ("use: shapes", "use: shaeps")
    )
    assert places(complaint(path, plugins)) == [
        "suite.yaml:4: datasets[0].use",
        "suite.yaml:8: teachers.a.focal",
        "suite.yaml:8: teachers.a.focl",
        "suite.yaml:13: teams[2][1]",
        "suite.yaml:15: strategies[0].use",
    ]


def test_one_reading_shows_settings_and_plugins(suite_file: SuiteFile, plugins: Plugins) -> None:
    """An unknown setting does not hide an unknown plugin: both are there to be mended at once."""
    path = suite_file(("epochs: 2", "epochz: 2"), ("- equal", "- eqaul"))
    assert places(complaint(path, plugins)) == ["suite.yaml:15: strategies[0].use", "suite.yaml:19: train.epochz"]


def test_sizes_of_every_split_are_told(suite_file: SuiteFile, plugins: Plugins) -> None:
    path = suite_file(("[1, 5]", "[1, 13]"), ("batch_size: 8", "batch_size: 64"))
    message = complaint(path, plugins)
    assert places(message) == [
        "suite.yaml:19: train.batch_size",
        "suite.yaml:20: evaluate.recall_at[1]",
        "suite.yaml:20: evaluate.recall_at[1]",
    ]
    assert "at most 12, the candidates in shapes's validation split" in message
    assert "at most 10, the candidates in shapes's test split" in message


def test_the_largest_sizes_that_fit(suite_file: SuiteFile, plugins: Plugins) -> None:
    suite = load_suite(suite_file(("[1, 5]", "[1, 10]"), ("batch_size: 8", "batch_size: 40")), plugins)
    assert (suite.task.params["recall_at"], suite.train.batch_size) == ([1, 10], 40)


def test_a_dataset_that_cannot_be_built(suite_file: SuiteFile, plugins: Plugins) -> None:
    path = suite_file(("use: shapes", "use: shapes\n    folder: /nowhere"))
    message = complaint(path, plugins)
    assert places(message) == ["suite.yaml:4: datasets[0]"]
    assert "/nowhere: no shapes are there; draw some first" in message


def test_a_parameter_of_two_types(suite_file: SuiteFile, plugins: Plugins) -> None:
    """The path is one that stands in the file: `students[0].shade`, not `students[0].shade.int`."""
    path = suite_file(("use: pebble", "use: pebble\n    shade: [1]"))
    message = complaint(path, plugins)
    assert set(places(message)) == {"suite.yaml:7: students[0].shade"}
    assert "a whole number" in message
    assert "a string" in message


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan"])
@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("{use: cosine}", "{use: cosine, coefficient: VALUE}", "objective[0].coefficient"),
        ("{use: cosine}", "{use: cosine, power: VALUE}", "objective[0].power"),
        ("epochs: 2", "lr: VALUE", "train.lr"),
    ],
)
def test_numbers_that_are_not_finite(
    value: str, old: str, new: str, path: str, suite_file: SuiteFile, plugins: Plugins
) -> None:
    """No id can be made of them, nor a training."""
    message = complaint(suite_file((old, new.replace("VALUE", value))), plugins)
    assert places(message)[0].endswith(path)


def test_nothing_is_decoded_and_no_model_is_built(suite_file: SuiteFile, plugins: Plugins) -> None:
    """Builders of teachers, students and objectives raise in these plugins, and so do the images when indexed."""
    suite = load_suite(suite_file(), plugins)
    dataset: Any = construct(plugins.find("dataset", "shapes").offer, suite.datasets[0].params)
    images = dataset.split("train").images
    with pytest.raises(AssertionError, match="image 0 was decoded"):
        images[0]
    for kind, name in (("teacher", "lens"), ("student", "pebble"), ("objective", "cosine")):
        with pytest.raises(AssertionError, match="was built"):
            plugins.find(kind, name).offer.build(**({"focal": 1.0} if name == "lens" else {}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("train.lr=1e-2", lambda suite: suite.train.lr == 1e-2),
        ("train.epochs=7", lambda suite: suite.train.epochs == 7),
        ("strategies[1].C=0.7", lambda suite: suite.strategies[1].params["C"] == 0.7),
        ("strategies.1.C=0.7", lambda suite: suite.strategies[1].params["C"] == 0.7),
        ("strategies[0].name=even", lambda suite: suite.strategies[0].name == "even"),  # of a shorthand
        ("datasets=[{use: shapes, colours: 5}]", lambda suite: suite.datasets[0].params["colours"] == 5),
        ("strategies[1]={use: fixed, weights: {a: 1, b: 3}}", lambda suite: suite.strategies[1].use == "fixed"),
        ("seeds=[0,1,2]", lambda suite: suite.seeds == [0, 1, 2]),
        ("seeds[1]=5", lambda suite: suite.seeds == [0, 5]),
        ("teams=[[]]", lambda suite: suite.teams == [[]]),
        ("teachers.a.focal=20", lambda suite: suite.teachers["a"].params["focal"] == 20.0),
        ("latency.threads=2", lambda suite: suite.latency.threads == 2),  # a block that the file leaves out
    ],
)
def test_overrides(override: str, read: Callable[[Suite], bool], suite_file: SuiteFile, plugins: Plugins) -> None:
    assert not read(load_suite(suite_file(), plugins))
    assert read(load_suite(suite_file(), plugins, [override]))


def test_a_number_may_be_a_key(suite_file: SuiteFile, plugins: Plugins) -> None:
    """It made a second key beside the first: one text, one whole number."""
    overrides = ["teachers.7={use: lens, focal: 1}", "teachers.7.focal=2", "teams=[['7']]"]
    suite = load_suite(suite_file(), plugins, overrides)
    assert suite.teachers["7"].params["focal"] == 2.0


def test_the_last_override_wins(suite_file: SuiteFile, plugins: Plugins) -> None:
    assert load_suite(suite_file(), plugins, ["train.epochs=5", "train.epochs=6"]).train.epochs == 6


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "train.lrr=1",
            f"override train.lrr=1: train.lrr\n  found     'lrr'\n  expected  {TRAIN_KEYS}\n  did you mean 'lr'?",
        ),
        (
            "strategies[1].D=1",
            "override strategies[1].D=1: strategies[1].D\n  found     'D'\n  expected  one of C, normalize, space",
        ),
        ("name=a=b", "override name=a=b: name\n  found     'a=b'\n  expected  "),
        ("train.lr=fast", "override train.lr=fast: train.lr\n  found     'fast'\n  expected  a number"),
        ("teams[2][1]=c", "override teams[2][1]=c: teams[2][1]\n  found     'c'\n  expected  a key of `teachers:`: a, b"),
        (
            "evaluate.recall_at[1]=11",
            "override evaluate.recall_at[1]=11: evaluate.recall_at[1]\n  found     11\n"
            "  expected  at most 10, the candidates in shapes's test split",
        ),
        (
            "strategies[2]=equal",
            "override 'strategies[2]=equal': found 2, expected an index below 2 of the list strategies; the last is",
        ),
        ("strategies[-1]=equal", "override 'strategies[-1]=equal': found '-1', expected an index below 2 of the list"),
        (
            "students[3].use=x",
            "override 'students[3].use=x': found 3, expected an index below 1 of the list students; the last is students[0]",
        ),
        (
            "strategies[2].C=1",
            "override 'strategies[2].C=1': found 2, expected an index below 2 of the list strategies; the last",
        ),
        ("strategies.first.C=1", "override 'strategies.first.C=1': found 'first', expected an index below 2 of the list"),
        ("name.x=1", "override 'name.x=1': found 'tiny' at name; expected a map or a list, in which 'x' can be set"),
        ("teams[0][0]=a", "override 'teams[0][0]=a': found 0, expected an index below 0 of the list teams[0]; give the whole"),
        ("train.lr", "override 'train.lr': expected dotted.path=value, such as train.lr=1e-3"),
        ("=1", "override '=1': expected dotted.path=value"),
        (".lr=1", "override '.lr=1': expected dotted.path=value"),
        ("train.=1", "override 'train.=1': expected dotted.path=value"),
        ("seeds=[0", "override 'seeds=[0': not valid YAML"),
        ("name=!!python/name:os.system", "override 'name=!!python/name:os.system': "),
    ],
)
def test_overrides_that_are_wrong(override: str, message: str, suite_file: SuiteFile, plugins: Plugins) -> None:
    assert complaint(suite_file(), plugins, [override]).startswith(message)


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("evaluate={recall_at: [1, 11]}", "evaluate.recall_at[1]"),  # deeper than the override, and in the file as well
        ("teachers.c.use=lens", "teachers.c.focal"),  # an entry that only the override brings
    ],
)
def test_what_an_override_brings_is_not_looked_for_in_the_file(
    override: str, path: str, suite_file: SuiteFile, plugins: Plugins
) -> None:
    assert complaint(suite_file(), plugins, [override]).startswith(f"override {override}: {path}\n")


VARIANTS = """
variants:
  full: {}
  one seed of lr:
    train: {lr: 0.5}
  fixed:
    strategies: [{use: fixed, weights: {a: 1, b: 2}}]
"""


def with_variants(suite_file: SuiteFile, text: str = VARIANTS) -> Path:
    path = suite_file()
    path.write_text(path.read_text() + text)
    return path


def test_variants_change_blocks_and_leave_the_rest(suite_file: SuiteFile, plugins: Plugins) -> None:
    suite = load_suite(with_variants(suite_file), plugins)
    base = load_suite(suite_file(), plugins)
    assert list(suite.variants) == ["full", "one seed of lr", "fixed"]
    assert suite.variants["full"] == base
    assert suite.variants["one seed of lr"].train == base.train.model_copy(update={"lr": 0.5})
    assert [strategy.use for strategy in suite.variants["fixed"].strategies] == ["fixed"]
    assert suite.variants["fixed"].teachers == base.teachers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variants:\n  off:\n    strategies: [eqaul]\n", ": variants.off.strategies[0].use\n  found     'eqaul'"),
        ("variants:\n  off:\n    train: {lrr: 1}\n", ": variants.off.train.lrr\n  found     'lrr'"),
        ("variants:\n  off:\n    seeds: [1]\n", ": variants.off.seeds\n  found     'seeds'"),
        ("variants:\n  off: 3\n", ": variants.off\n  found     3\n  expected  a map"),
        ("variants: [off]\n", ": variants\n  found     ['off']\n  expected  a map"),
        ("variants: -1\n", ": variants\n  found     -1\n  expected  a map"),
    ],
)
def test_variants_that_are_wrong(text: str, message: str, suite_file: SuiteFile, plugins: Plugins) -> None:
    """Each is told once, where the variant says it."""
    path = with_variants(suite_file, text)
    said = complaint(path, plugins)
    assert message in said
    assert said.count("found") == 1
    assert said.startswith(f"{path}:")


def test_what_is_wrong_in_the_suite_is_told_once(suite_file: SuiteFile, plugins: Plugins) -> None:
    path = with_variants(suite_file)
    path.write_text(path.read_text().replace("- equal", "- eqaul"))
    assert complaint(path, plugins).count("found") == 1


OTHER = "{use: shapes, name: others, colours: 5}"


@pytest.mark.parametrize(
    ("also", "message"),
    [
        ("{use: shapes, colour: 5}", "evaluate.also[0].colour\n  found     'colour'"),
        ("shapez", "evaluate.also[0].use\n  found     'shapez'"),
        ("shapes", "evaluate.also[0]\n  found     'shapes'\n  expected  another dataset than the one in `datasets:`"),
        ("{use: shapes, colours: 5}", "evaluate.also[0]\n  found     'shapes'\n  expected  a unique label"),
        (f"{OTHER}, {OTHER}", "evaluate.also[1]\n  found     'others'\n  expected  a unique label"),
        ("{use: shapes, name: others, folder: there}", "evaluate.also[0]"),
        ("vectors", "evaluate.also[0]\n  found     'vectors'\n  expected  a dataset for students of the task 'retrieval'"),
    ],
)
def test_further_datasets_that_are_wrong(also: str, message: str, suite_file: SuiteFile, plugins: Plugins) -> None:
    plugins.register(regression_task, "tests:regression")
    path = suite_file(("evaluate: {recall_at: [1, 5]}", f"evaluate: {{recall_at: [1, 5], also: [{also}]}}"))
    said = complaint(path, plugins)
    assert message in said
    assert said.count(f"{path}:") == 1


def test_further_datasets_have_the_suites_settings_or_those_of_their_own_task(suite_file: SuiteFile, plugins: Plugins) -> None:
    """They are evaluated alone: batches need not fit into their train split."""
    plugins.register(zero_shot, "kdbench:zero_shot")
    plugins.register(class_folders, "kdbench:class_folders")
    classes = "{use: class_folders, miniature: true}"
    path = suite_file(("recall_at: [1, 5]", f"recall_at: [1, 5], every: 2, also: [{OTHER}, {classes}]"))
    suite = load_suite(path, plugins, deep=False)
    assert [(one.dataset.name, one.task.use) for one in suite.also] == [("others", "retrieval"), ("class_folders", "zero_shot")]
    assert suite.also[0].task == suite.task
    assert suite.also[1].task.params == {"top": [1, 5]}
    assert suite.evaluate.model_dump() == {"every": 2, "batch_size": 256, "margin": None}
    without = load_suite(suite_file(("recall_at: [1, 5]", "recall_at: [1, 5], every: 2")), plugins)
    assert [run.run_id for run in plan(suite) if not run.trained_on] == [run.run_id for run in plan(without)]


class FewShapes(Shapes):
    """Four captions and four images a split."""

    def split(self, name: SplitName) -> Split:
        whole = super().split(name)
        return Split(whole.images[:4], whole.captions[:4], whole.image_concepts[:4], whole.caption_concepts[:4])


class Few:
    @hookimpl
    def kdbench_datasets(self) -> list[Offer[Dataset]]:
        return [Offer("few", FewShapes)]


def test_k_must_fit_further_datasets_too(suite_file: SuiteFile, plugins: Plugins) -> None:
    plugins.register(Few(), "tests:few")
    said = complaint(suite_file(("recall_at: [1, 5]", "recall_at: [1, 5], also: [few]")), plugins)
    assert "evaluate.recall_at[1]\n  found     5\n  expected  at most 4, the candidates in few's test split" in said
    assert said.count("found") == 1


def test_a_suite_has_variants_or_regimes(suite_file: SuiteFile, plugins: Plugins) -> None:
    path = suite_file()
    path.write_text(path.read_text() + "\nvariants: {a: {}}\nregimes: {b: {}}\n")
    with pytest.raises(SuiteError, match=r"regimes\n +found +'variants and regimes'\n +expected +one of the two"):
        load_suite(path, plugins)


def test_a_misspelt_key_of_a_race_or_a_regime_has_a_nearest_name(suite_file: SuiteFile, plugins: Plugins) -> None:
    path = suite_file()
    path.write_text(path.read_text() + "\nrace: {min_sedes: 3}\nregimes: {b: {teems: [[]]}}\n")
    with pytest.raises(SuiteError) as error:
        load_suite(path, plugins)
    assert "did you mean 'min_seeds'?" in str(error.value)
    assert "did you mean 'teams'?" in str(error.value)
