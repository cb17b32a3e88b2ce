"""Which studies a suite has, and the runs that follow from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.suite.model import Suite
from kdbench.suite.paths import with_values
from kdbench.suite.plan import plan
from kdbench.suite.spec import TaskDataset, Tuning
from kdbench.suite.study import Study, studies, study_of, tuned
from tests.support.sweeping import suite_of

TRIALS = ("trials: 4", "trials: 5")
LR = "train.lr: {low: 1e-3, high: 1e-1, log: true}"


def names(suite: Suite) -> list[str]:
    return [study.name for study in studies(suite)]


def test_a_study_a_cell_whatever_the_seeds(tmp_path: Path) -> None:
    found = studies(suite_of(tmp_path))
    assert [study.label for study in found] == ["toy · no distillation", "toy · a+b · equal", "toy · a+b · ammkd"]
    assert {study.spec.seed for study in found} == {0}
    assert names(suite_of(tmp_path, ("seeds: [0, 1]", "seeds: [3, 4, 5]"))) == [study.name for study in found]


def test_budgets_are_equal(tmp_path: Path) -> None:
    found = studies(suite_of(tmp_path))
    assert {study.settings.trials for study in found} == {4}
    assert len({(study.spec.train.epochs, study.spec.train.batch_size) for study in found if study.spec.train}) == 1
    assert len({study.settings.model_dump_json() for study in found}) == 1


def test_each_cell_has_what_it_has_of_the_space(tmp_path: Path) -> None:
    common = ["train.lr", "train.distill", "objective[1].coefficient"]
    spaces = [[parameter.path for parameter in study.space] for study in studies(suite_of(tmp_path))]
    assert spaces == [["train.lr"], common, [*common, "strategy.C"]]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        TRIALS,
        (LR, "train.lr: {low: 1e-3, high: 2e-1, log: true}"),
        ("trials: 4", "trials: 4\n  sampler: random"),
        ("trials: 4", "trials: 4\n  seed: 1"),
        ("trials: 4", "trials: 4\n  metric: mean_recall"),
        ("trials: 4", "trials: 4\n  pruner: none"),
        ("epochs: 3", "epochs: 4"),
        ("students: [toy]", "students: [{use: toy, width: 9}]"),
    ],
)
def test_a_changed_suite_makes_new_studies(tmp_path: Path, old: str, new: str) -> None:
    assert not set(names(suite_of(tmp_path))) & set(names(suite_of(tmp_path, (old, new))))


def test_what_cannot_change_a_study_does_not_make_a_new_one(tmp_path: Path) -> None:
    before = names(suite_of(tmp_path))
    assert names(suite_of(tmp_path, ("checkpoint_every: 3", "checkpoint_every: 7"))) == before
    assert names(suite_of(tmp_path, ("strategies: [equal, ammkd]", "strategies: [random, ammkd]")))[2] == before[2]


def test_only_the_strategies_own_study_changes_with_its_space(tmp_path: Path) -> None:
    before, after = names(suite_of(tmp_path)), names(suite_of(tmp_path, ("C: {low: 0.5, high: 1}", "C: [0.5, 0.7]")))
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False]


def test_a_study_travels_as_json(tmp_path: Path) -> None:
    for study in studies(suite_of(tmp_path, ("trials: 4", "trials: 4\n  pruner: none"))):
        again = Study.model_validate_json(study.model_dump_json())
        assert (again, again.name) == (study, study.name)


def test_names_are_fit_for_files(tmp_path: Path) -> None:
    variants = 'variants:\n  "a / b, c": {}\nsweep:\n  trials: 4'
    for name in names(suite_of(tmp_path, ("sweep:\n  trials: 4", variants))):
        assert not set(name) & set(" /·,")


def test_parameters_reach_the_run(tmp_path: Path) -> None:
    study = studies(suite_of(tmp_path))[2]
    values = {"train.lr": 0.05, "train.distill": 3.0, "objective[1].coefficient": 1.5, "strategy.C": 0.75}
    run = study.run(values)
    assert run.train is not None
    assert (run.train.lr, run.train.distill, run.objective[1].coefficient) == (0.05, 3.0, 1.5)
    assert run.strategy is not None
    assert run.strategy.params["C"] == 0.75
    own = study.spec
    assert run.replace(train=own.train, objective=own.objective, strategy=own.strategy) == own
    assert own.train is not None
    assert own.train.lr == 0.02  # nothing of the study itself has changed


def test_paths_into_terms_and_students(tmp_path: Path) -> None:
    spec = studies(suite_of(tmp_path))[1].spec
    spec = spec.replace(student=spec.student.replace(params={"config": {"layers": [1, 2]}}))
    spec = spec.replace(objective=(spec.objective[0].replace(params={"temperature": 1.0}),))
    found = with_values(spec, {"student.config.layers[1]": 3, "objective[0].temperature": 2.0})
    assert found.student.params == {"config": {"layers": [1, 3]}}
    assert found.objective[0].params == {"temperature": 2.0}
    assert spec.student.params == {"config": {"layers": [1, 2]}}


def test_tuned_runs_are_over_all_seeds_with_the_best_parameters(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    first, second, third = studies(suite)
    best = {first.name: {"train.lr": 0.01}, third.name: {"train.lr": 0.03, "strategy.C": 0.9}}
    runs = tuned(suite, best)
    assert [(run.label, run.train.lr) for run in runs if run.train] == [
        ("toy · no distillation · seed 0", 0.01),
        ("toy · a+b · ammkd · seed 0", 0.03),
        ("toy · no distillation · seed 1", 0.01),
        ("toy · a+b · ammkd · seed 1", 0.03),
    ]
    assert all(run.tuning == Tuning(split="validation", trials=4, metric="rsum") for run in runs)
    assert second.name not in best
    default = {run.run_id for run in plan(suite)}
    assert len({run.run_id for run in runs} | default) == len(runs) + len(default)
    assert len({run.cell_id for run in runs}) == 2


def test_the_suites_own_runs_keep_their_ids(tmp_path: Path) -> None:
    """A sweep beside them changes nothing about them."""
    suite = suite_of(tmp_path)
    without = suite.model_copy(update={"sweep": None})
    assert [run.run_id for run in plan(suite)] == [run.run_id for run in plan(without)]
    assert studies(without) == []


def test_a_cell_with_nothing_to_tune_comes_as_it_is(tmp_path: Path) -> None:
    """Its row has to be in the table of the tuned ones to be compared with them."""
    suite = suite_of(tmp_path, (f"    {LR}\n", ""))
    assert [study.label for study in studies(suite)] == ["toy · a+b · equal", "toy · a+b · ammkd"]
    alone = [run for run in plan(suite) if not run.team]
    assert all(study_of(suite, run) is None for run in alone)
    runs = tuned(suite, {})
    assert [run.replace(tuning=None) for run in runs] == alone
    assert all(run.tuning for run in runs)


def test_variants_have_studies_of_their_own_and_references_none(tmp_path: Path) -> None:
    variants = "variants:\n  full: {}\n  long: {train: {epochs: 4}}\nreferences: [a]\nsweep:\n  trials: 4"
    suite = suite_of(tmp_path, ("sweep:\n  trials: 4", variants))
    found = studies(suite)
    assert [(study.spec.variant, study.spec.train.epochs) for study in found if study.spec.train] == [("full", 3)] * 3 + [
        ("long", 4)
    ] * 3
    assert len(tuned(suite, {study.name: {} for study in found})) == 12


def test_a_transfer_run_has_the_parameters_of_the_run_that_trains_its_student(tmp_path: Path) -> None:
    plain = suite_of(tmp_path)
    far = plain.datasets[0].replace(name="far", params={"seed": 9})
    suite = plain.model_copy(update={"also": [TaskDataset(task=plain.task, dataset=far)]})
    assert [study.name for study in studies(suite)] == [study.name for study in studies(plain)]
    best = {study.name: {"train.lr": 0.01 * (1 + place)} for place, study in enumerate(studies(plain))}
    runs = tuned(suite, best)
    transfers = [run for run in runs if run.trained_on]
    assert 2 * len(transfers) == len(runs)
    assert {run.training.run_id for run in transfers} == {run.run_id for run in tuned(plain, best)}
