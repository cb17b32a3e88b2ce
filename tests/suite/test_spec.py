"""Run ids: what changes them, what does not, and what growth leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from kdbench import Offer, Student, Uses, hookimpl
from kdbench.plugins.loading import Plugins
from kdbench.storage.digest import digest_of
from kdbench.suite import settings
from kdbench.suite import spec as specs
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.suite.plugin_entries import plug
from kdbench.suite.settings import Evaluate, Train
from kdbench.suite.spec import PINNED, Fold, PluginSpec, RunSpec, TaskDataset, settings_form, without_defaults
from kdbench.tasks import retrieval
from kdbench_plugins.strategies import ammkd, equal, fixed
from tests.support.toys import run_spec

Spec = Callable[..., RunSpec]


def test_the_id_of_a_literal_spec_is_pinned(spec: Spec) -> None:
    """If this changes, no record that was ever published is found again; raise SPEC_VERSION only for a reason."""
    assert spec().run_id == "2f62b19b8de1"
    assert spec().cell_id == "d613f788abf8"


def test_ids_survive_json(spec: Spec) -> None:
    """Workers get their spec as JSON."""
    there = RunSpec.model_validate_json(spec().model_dump_json())
    assert there == spec()
    assert (there.run_id, there.cell_id) == (spec().run_id, spec().cell_id)


MATTERS = {
    "suite": "other",
    "task.params.recall_at.1": 10,
    "dataset.name": "circles",
    "dataset.params.colours": 4,
    "student.name": "rock",
    "student.params.width": 16,
    "team.0.params.focal": 36.0,
    "team.1.name": "c",
    "team.1.version": 2,
    "team.1.versions": {"teacher": 2},
    "strategy.use": "random",
    "strategy.params.C": 0.5,
    "objective.0.coefficient": 2.0,
    "objective.0.params.power": 2.0,
    "train.epochs": 3,
    "train.batch_size": 16,
    "train.lr": 2e-3,
    "train.distill": 0.5,
    "evaluate.every": 2,
    "variant": "long",
    "role": "reference",
    "smoke": True,
    "tuning": {"split": "validation", "trials": 12, "metric": "rsum"},
}


def changed(spec: RunSpec, path: str, value: Any) -> RunSpec:
    fields: Any = deepcopy(spec.model_dump())
    part = fields
    *steps, last = (int(step) if step.isdecimal() else step for step in path.split("."))
    for step in steps:
        part = part[step]
    part[last] = value
    return RunSpec(**fields)


def test_ids_tell_apart_what_matters(spec: Spec) -> None:
    others = [changed(spec(), path, value) for path, value in MATTERS.items()]
    swapped = spec(team=spec().team[::-1])
    everyone = [spec(), swapped, *others]
    assert len({run.run_id for run in everyone}) == len({run.cell_id for run in everyone}) == len(everyone)


@pytest.mark.parametrize("seed", [-1, 2**63, 10**400, True, 1.0, "1"])
def test_a_seed_of_a_file_is_one_of_a_suite(spec: Spec, seed: object) -> None:
    with pytest.raises(ValidationError, match="seed"):
        RunSpec.model_validate(spec().model_dump() | {"seed": seed})
    assert RunSpec.model_validate(spec().model_dump() | {"seed": 2**63 - 1}).seed == 2**63 - 1


def test_seeds_share_a_cell(spec: Spec) -> None:
    assert spec(seed=1).run_id != spec().run_id
    assert spec(seed=1).cell_id == spec().cell_id


@pytest.mark.parametrize("every", [1, 7])
@pytest.mark.parametrize("setting", ["checkpoint_every", "devices"])
def test_checkpoints_and_devices_make_no_other_run(setting: str, every: int, spec: Spec) -> None:
    other = changed(spec(), f"train.{setting}", every)
    assert (other.run_id, other.cell_id) == (spec().run_id, spec().cell_id)


def test_a_copy_does_not_inherit_the_ids_of_its_original(spec: Spec) -> None:
    one = spec()
    assert one.run_id != one.replace(seed=5).run_id == spec(seed=5).run_id


# Growth: what is added with a default changes no id.


class Grown(Train):
    """`Train` with a setting more."""

    polish: float = Field(default=0.0)


def pebble(*, width: int = 8, shade: int | str = "grey") -> Student:
    raise AssertionError(f"a student was built: {width}, {shade}")


def grown_pebble(*, width: int = 8, shade: int | str = "grey", gloss: float = 0.5) -> Student:
    raise AssertionError(f"a student was built: {width}, {shade}, {gloss}")


def other_pebble(*, width: int = 16, shade: int | str = "grey") -> Student:
    raise AssertionError(f"a student was built: {width}, {shade}")


def with_student(build: Callable[..., Student], tiny: Any, version: int = 1) -> Plugins:
    class Changed(type(tiny)):  # type: ignore[misc]
        @hookimpl
        def kdbench_students(self) -> list[Offer[Student]]:
            return [Offer("pebble", build, version=version)]

    found = Plugins()
    found.register(Changed(), "tests:tiny")
    for module in (retrieval, equal, fixed, ammkd):
        found.register(module, module.__name__)
    return found


@pytest.fixture
def tiny(plugins: Plugins) -> Any:
    return plugins.manager.get_plugin("tests:tiny")


def ids(path: Path, plugins: Plugins) -> list[str]:
    return [run.run_id for run in plan(load_suite(path, plugins))]


def test_a_parameter_added_to_a_plugin_changes_no_id(suite_file: Callable[..., Path], plugins: Plugins, tiny: Any) -> None:
    grown = with_student(grown_pebble, tiny)
    assert ids(suite_file(), grown) == ids(suite_file(), plugins)
    assert plan(load_suite(suite_file(), grown))[0].student.params["gloss"] == 0.5
    given = suite_file(("- use: pebble", "- {use: pebble, gloss: 0.75}"))
    assert not set(ids(given, grown)) & set(ids(suite_file(), plugins))


def test_a_setting_added_to_training_changes_no_id(spec: Spec) -> None:
    train = spec().train
    assert train is not None
    assert settings_form("train", Grown(**train.model_dump())) == settings_form("train", train)
    assert settings_form("train", Grown(**train.model_dump(), polish=0.9)) != settings_form("train", train)


def test_training_with_a_setting_more_plans_the_same_runs(suite_file: Callable[..., Path], plugins: Plugins) -> None:
    """Of a whole suite, from its file on."""
    before = plan(load_suite(suite_file(), plugins))
    suite = load_suite(suite_file(), plugins)
    grown = suite.model_copy(update={"train": Grown(**suite.train.model_dump())})
    assert [run.run_id for run in plan(grown)] == [run.run_id for run in before]
    assert plan(grown)[0].train == Grown(**(before[0].train or Train()).model_dump())


def test_the_name_of_the_default_loss_changes_no_id(suite_file: Callable[..., Path], plugins: Plugins) -> None:
    plain = ids(suite_file(), plugins)
    assert ids(suite_file(("epochs: 2", "epochs: 2, loss: clip")), plugins) == plain
    assert not set(ids(suite_file(("epochs: 2", "epochs: 2, loss: siglip")), plugins)) & set(plain)


def test_an_option_of_the_plugin_spec_itself_changes_no_id(spec: Spec) -> None:
    """A block that a run does not have is not part of its form."""
    form = spec()._cell
    assert not {"variant", "role", "smoke", "tuning"} & set(form)


def test_ids_are_digests_of_the_whole_canonical_form(suite_file: Callable[..., Path], plugins: Plugins, spec: Spec) -> None:
    elsewhere = TaskDataset(task=spec().task, dataset=spec().dataset)
    for run in [
        *plan(load_suite(suite_file(), plugins)),
        spec(trained_on=elsewhere, student=spec().student.replace(params={"é": '"'}), role="reference", train=None),
    ]:
        form = {name: json.loads(value) for name, value in run._cell.items()}
        assert (run.cell_id, run.run_id) == (digest_of(form)[:12], digest_of({**form, "seed": run.seed})[:12])


def test_specs_that_are_read_share_their_plugins(spec: Spec) -> None:
    """True is not 1, though Python says that they are equal."""
    ones, others = (
        [RunSpec.model_validate_json(spec(student=one).model_dump_json()) for _ in range(2)]
        for one in (PluginSpec(name="s", use="toy", params={"deep": value}) for value in (1, True))
    )
    assert ones[0].student is ones[1].student
    assert ones[0].student.params == {"deep": 1}
    assert others[0].student.params["deep"] is True


def test_a_shared_plugin_does_not_follow_what_its_reader_does_with_the_json(spec: Spec) -> None:
    given = spec().model_dump(mode="json")
    given["student"]["params"] = {"inner": {"use": "pebble", "width": 8}}
    kept = deepcopy(given)
    first = RunSpec.model_validate(given)
    given["student"]["params"]["inner"]["width"] = 16
    assert RunSpec.model_validate(kept).student.params == {"inner": {"use": "pebble", "width": 8}}
    assert RunSpec.model_validate(kept).run_id == first.run_id != RunSpec.model_validate(given).run_id


def test_a_plugin_with_values_that_are_no_json_is_shared_with_none() -> None:
    given = {"name": "s", "use": "toy", "params": {"path": Path("x")}}
    one, other = (TaskDataset.model_validate({"task": given, "dataset": given}) for _ in range(2))
    assert one.task == other.task == PluginSpec.model_validate(given)
    assert one.task is not other.task


def test_another_default_needs_another_version(suite_file: Callable[..., Path], plugins: Plugins, tiny: Any) -> None:
    """Without one the same id would come to mean another run, which reading its record then refuses."""
    silent, said = with_student(other_pebble, tiny), with_student(other_pebble, tiny, version=2)
    assert ids(suite_file(), silent) == ids(suite_file(), plugins)
    before, after = plan(load_suite(suite_file(), plugins))[0], plan(load_suite(suite_file(), silent))[0]
    assert after.disagreement(before) == "pebble.width: 8 then, 16 now"
    assert before.disagreement(before) == ""
    assert not set(ids(suite_file(), said)) & set(ids(suite_file(), plugins))


@pytest.mark.parametrize(("block", "model"), [("train", Train), ("evaluate", Evaluate)])
def test_defaults_of_the_core_are_pinned(block: str, model: type[settings.Block]) -> None:
    """A default that changes leaves its pin behind, so that ids go on saying what was run."""
    shaping = set(model.model_fields) - specs.OPERATIONAL
    assert set(PINNED[block]) == shaping
    assert {name: model.model_fields[name].default for name in shaping} == PINNED[block]


values = st.one_of(st.booleans(), st.integers(-3, 3), st.sampled_from(["a", "b"]), st.none())
params = st.dictionaries(st.sampled_from("pqrst"), values)


@given(params, params)
def test_what_equals_its_default_is_left_out(given_params: dict[str, Any], defaults: dict[str, Any]) -> None:
    kept = without_defaults(given_params, defaults)
    assert {**{name: defaults[name] for name in given_params if name not in kept}, **kept} == given_params
    for name in kept:
        assert name not in defaults or (kept[name], type(kept[name]) is bool) != (defaults[name], type(defaults[name]) is bool)


def test_nested_plugins_leave_out_their_own_defaults() -> None:
    outer = {"student": {"use": "pebble", "width": 8, "shade": "red"}, "epochs": 3}
    defaults = {"epochs": 3, "student.width": 8, "student.shade": "grey"}
    assert without_defaults(outer, defaults) == {"student": {"use": "pebble", "shade": "red"}}


def test_a_default_that_holds_a_plugin_is_left_out_with_or_without_its_defaults() -> None:
    default = {"use": "pebble", "width": 16}
    then = {"student": default, "student.width": 8}
    now = then | {"student.gloss": 0.5}
    assert without_defaults({"student": default}, then) == without_defaults({"student": default | {"gloss": 0.5}}, now) == {}
    other = {"student": {"use": "pebble", "width": 16, "gloss": 0.75}}
    assert without_defaults(other, now) == other
    assert without_defaults({"student": {"use": "pebble", "width": 8, "gloss": 0.5}}, now) == {"student": {"use": "pebble"}}


@pytest.mark.parametrize(
    ("value", "default", "same"),
    [(1, 1.0, True), (1, True, False), ([1], [True], False), ([1], [1.0], True), ({"a": [0]}, {"a": [False]}, False)],
)
def test_values_equal_their_default_as_in_json(value: Any, default: Any, same: bool) -> None:
    assert without_defaults({"p": value}, {"p": default}) == ({} if same else {"p": value})


def shell(*, student: Annotated[dict[str, Any], Uses("student")]) -> Student:
    raise AssertionError(f"a student was built: {student}")


def with_shell(build: Callable[..., Student], version: int = 1) -> Plugins:
    class Both:
        @hookimpl
        def kdbench_students(self) -> list[Offer[Student]]:
            return [Offer("pebble", build, version=version), Offer("shell", shell)]

    found = Plugins()
    found.register(Both(), "tests:shell")
    return found


def test_a_plugin_in_a_parameter_grows_as_one_of_its_own_does() -> None:
    def shelled(plugins: Plugins, depth: int = 1) -> PluginSpec:
        entry: dict[str, Any] = {"use": "pebble"}
        for _ in range(depth):
            entry = {"use": "shell", "student": entry}
        return plug("student", entry, "here", plugins)

    for depth in (1, 2):
        before, grown = shelled(with_shell(pebble), depth), shelled(with_shell(grown_pebble), depth)
        silent, said = shelled(with_shell(other_pebble), depth), shelled(with_shell(other_pebble, version=2), depth)
        assert grown.canonical == before.canonical == silent.canonical
        assert said.canonical != before.canonical
        assert said.versions == {".".join(["student"] * depth): 2}


def test_a_default_that_changed_in_a_parameter_s_plugin_is_noticed(spec: Spec) -> None:
    one, other = (
        spec(student=plug("student", {"use": "shell", "student": {"use": "pebble"}}, "here", with_shell(build)))
        for build in (pebble, other_pebble)
    )
    assert one.run_id == other.run_id
    assert other.disagreement(one) == "shell.student.width: 8 then, 16 now"


def test_a_plugin_written_before_a_parameter_was_added_is_the_same() -> None:
    now = PluginSpec(name="x", use="pebble", params={"width": 4, "gloss": 0.5}, defaults={"width": 8, "gloss": 0.5})
    assert now.same_as({"use": "pebble", "params": {"width": 4}})
    assert not now.same_as({"use": "pebble", "params": {"width": 8}})
    assert not now.same_as({"use": "rock", "params": {"width": 4}})
    assert not now.same_as({})


def test_a_transfer_run_has_ids_of_its_own_and_knows_the_run_that_trains(spec: Spec) -> None:
    trains = spec()
    far = trains.dataset.replace(name="far", params={"seed": 1})
    one = trains.replace(dataset=far, trained_on=TaskDataset(task=trains.task, dataset=trains.dataset))
    other = one.replace(trained_on=TaskDataset(task=trains.task, dataset=trains.dataset.replace(name="near")))
    assert len({run.run_id for run in (trains, trains.replace(dataset=far), one, other)}) == 4
    assert (one.training, trains.training) == (trains, trains)
    assert one.training.run_id == trains.run_id
    assert (one.transfer, trains.transfer) == (True, False)
    assert one.label == trains.label.replace(" · seed", " · on far · seed")
    assert RunSpec.model_validate_json(one.model_dump_json()).run_id == one.run_id


def test_a_fold_is_of_the_run_and_their_number_of_the_cell() -> None:
    plain = run_spec()
    runs = [plain.replace(fold=Fold(index=index, of=5)) for index in range(5)]
    assert len({run.run_id for run in (plain, *runs)}) == 6
    assert {run.cell_id for run in runs} == {runs[0].cell_id}
    assert runs[0].cell_id not in (plain.cell_id, plain.replace(fold=Fold(index=0, of=4)).cell_id)
    assert runs[1].label == f"{plain.cell_label} · seed 0 · fold 2/5"
    assert (plain.which, runs[4].which) == ("0", "0 · fold 5/5")
    assert RunSpec.model_validate_json(runs[2].model_dump_json()) == runs[2]
    assert RunSpec.model_validate({**plain.model_dump(), "fold": None}).run_id == plain.run_id


def test_trainings_of_folds_and_seeds_have_draws_of_their_own() -> None:
    """The same for all rows, which pairs them; without folds that of the seed, as ever."""
    assert run_spec(seed=3).training_seed == 3
    drawn = {run_spec(seed=seed, fold=Fold(index=index, of=5)).training_seed for seed in range(8) for index in range(5)}
    assert len(drawn) == 40
    assert all(0 <= seed < 2**32 for seed in drawn)
    fold = Fold(index=1, of=5)
    assert run_spec((), seed=2, fold=fold).training_seed == run_spec(("a",), seed=2, fold=fold).training_seed


@pytest.mark.parametrize(("index", "of"), [(5, 5), (-1, 5), (0, 2), (True, 5), (0, 5.5)])
def test_folds_that_there_cannot_be(index: Any, of: Any) -> None:
    with pytest.raises(ValidationError):
        Fold(index=index, of=of)
