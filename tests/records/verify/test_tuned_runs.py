"""Tuned runs and the summaries of the studies that found their parameters."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdbench.records.files import read_record
from kdbench.records.reading import read_measured
from kdbench.records.study_summary import read_summary
from kdbench.records.verify import Problem, usable, verify
from kdbench.suite.spec import Tuning
from tests.support.made_records import edit, made, resealed, set_in, several, tuned, whats
from tests.support.toys import toy_plugins

BUDGET = Tuning(split="validation", trials=3, metric="mean_recall")
NOT_FINE = "tuned by a study whose summary has problems"
MISSING = "tuned, without its study's summary"
Damage = Callable[[Path], object]  # of a summary


def looked(results: Path, bundle: Path) -> list[tuple[list[str], list[Problem]]]:
    """What stays usable, and what is wrong: by a quick look, a deep one, and one into a bundle that vouches for these files."""
    files = {file.relative_to(results).as_posix(): file.read_bytes() for file in results.rglob("*") if file.is_file()}
    resealed(bundle, files)
    found = [usable([results]), verify([results], toy_plugins()), verify([bundle], toy_plugins())]
    return [([record.run_id for record in records], problems) for records, problems in found]


def test_tuned_runs_with_their_summary_are_fine(tmp_path: Path) -> None:
    """Whatever their seeds, and with settings changed that leave a computation what it is."""
    results = tmp_path / "results"
    _, records = tuned(results)
    paths = [*records, *several(results, 2)]
    for ids, problems in looked(results, tmp_path / "b.zip"):
        assert problems == []
        assert ids == sorted(path.stem for path in paths)


def put(*keys: str | int, to: Any) -> Damage:
    return lambda path: set_in(*keys, to=to)(path, [])


def other_best(path: Path) -> None:
    """The third trial is made the best, without a contradiction."""
    put("trials", 2, "values", to=[60.0])(path)
    put("best", to=2)(path)


def turned(path: Path) -> None:
    """The least is made the best."""
    put("directions", to=["minimize"])(path)
    put("best", to=0)(path)


def longer(path: Path) -> None:
    """A study of one trial more, which holds together."""

    def add(summary: dict[str, Any]) -> None:
        summary["settings"]["trials"] = 4
        summary["trials"].append(summary["trials"][0] | {"number": 3})

    edit(path, add)
    ids = read_summary(path).ids
    edit(path, lambda summary: summary.update(ids))
    path.rename(path.with_name(f"{ids['study']}.json"))


def fail(summary: dict[str, Any]) -> None:
    summary["best"] = None
    for trial in summary["trials"]:
        trial.update(state="failed", values=[])


PARAMETERS = "parameters other than those of its study's best trial"
FOLLOW = "does not follow from its spec, space and settings"
SUMMARY: dict[str, tuple[Damage, list[str], str]] = {  # damage, what is told of the summary, and of each tuned record
    "edited best trial": (put("trials", 1, "params", "train.lr", to=0.06), [], PARAMETERS),
    "best trial with less": (put("trials", 1, "params", to={"train.lr": 0.05}), [], PARAMETERS),
    "another best trial": (other_best, [], PARAMETERS),
    "best that does not follow": (put("best", to=0), ["an inconsistent study"], NOT_FINE),
    "best by another direction": (turned, [f"directions {FOLLOW}"], NOT_FINE),
    "wrong digest": (put("digest", to="0" * 12), [f"digest {FOLLOW}"], NOT_FINE),
    "another search": (put("version", to=1), ["a spec, space or settings that give no study"], NOT_FINE),
    "a wider space": (put("space", 0, "high", to=1.0), [f"digest {FOLLOW}", f"study {FOLLOW}"], NOT_FINE),
    "another cell": (put("spec", "train", "epochs", to=9), [f"digest {FOLLOW}", f"study {FOLLOW}"], MISSING),
    "no cell": (put("spec", "seeds", to=[0]), ["not a study's summary"], MISSING),
    "no place": (put("trials", 1, "params", to={"strategy": 1}), ["a spec, space or settings that give no study"], NOT_FINE),
    "a trial less": (lambda path: edit(path, lambda summary: summary["trials"].pop()), ["trials"], NOT_FINE),
    "a trial more": (longer, [], "tuned with another budget than its study"),
    "no trial complete": (lambda path: edit(path, fail), [], "tuned by a study without a result"),
    "another file name": (
        lambda path: path.rename(path.with_name("x-000000000000.json")),
        ["a file name that differs from its study's"],
        NOT_FINE,
    ),
    "not the schema": (put("trials", to="many"), ["not a study's summary"], MISSING),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:100]), ["not a study's summary"], MISSING),
    "missing": (Path.unlink, [], MISSING),
}


@pytest.mark.parametrize(("damage", "of_summary", "of_record"), SUMMARY.values(), ids=SUMMARY)
def test_what_is_wrong_is_told_with_the_file_and_the_rest_stays(
    damage: Damage, of_summary: list[str], of_record: str, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    others = several(results, 2)
    summary, records = tuned(results)
    damage(summary)
    for ids, problems in looked(results, tmp_path / "b.zip"):
        assert ids == sorted(path.stem for path in others)
        told = [problem for problem in problems if "/sweep/" in problem.path]
        assert whats(told) == of_summary
        assert {Path(problem.path).name for problem in told} <= {path.name for path in summary.parent.iterdir()}
        of_records = [problem for problem in problems if problem not in told]
        assert whats(of_records) == [of_record] * len(records)
        assert sorted(Path(problem.path).stem for problem in of_records) == sorted(path.stem for path in records)
        assert all(problem.found and problem.expected for problem in problems)


def test_an_edited_best_trial_is_told_with_both_values_and_the_file(tmp_path: Path) -> None:
    summary, (record,) = tuned(tmp_path, seeds=1)
    put("trials", 1, "params", "train.lr", to=0.06)(summary)
    (problem,) = verify([tmp_path])[1]
    assert (problem.path, problem.found) == (str(record), "train.lr 0.05")
    assert problem.expected == f"train.lr 0.06, of trial 1 in {summary}"


def test_a_record_that_claims_another_budget(tmp_path: Path) -> None:
    summary, (record,) = tuned(tmp_path, seeds=1)
    run = read_record(record).spec
    for other in (BUDGET.replace(trials=30), BUDGET.replace(metric="rsum"), BUDGET.replace(split="test")):
        record.unlink()
        record = made(tmp_path, spec=run.replace(tuning=other))
        (problem,) = verify([tmp_path])[1]
        assert (problem.path, problem.what) == (str(record), "tuned with another budget than its study")
        assert problem.expected.endswith(f'"trials": 3, "metric": "mean_recall"}}, by {summary}')


@pytest.mark.parametrize("budget", [{"trials": 3}, "much", [3], {"split": "validation", "trials": "3", "metric": "rsum"}])
def test_a_record_with_something_else_for_a_budget(budget: object, tmp_path: Path) -> None:
    _, (record,) = tuned(tmp_path, seeds=1)
    set_in("spec", "tuning", to=budget)(record, [])
    records, (problem,) = verify([tmp_path])
    assert (records, problem.path) == ([], str(record))
    assert problem.what.startswith("not a record: spec.tuning")


def test_a_record_without_a_parameter_that_was_tuned(tmp_path: Path) -> None:
    """As when its strategy had no such parameter."""
    summary, (record,) = tuned(tmp_path, seeds=1)
    run = read_record(record).spec
    shorter = run.replace(objective=run.objective[:1])
    record.unlink()
    record = made(tmp_path, spec=shorter)
    (problem,) = usable([tmp_path])[1]
    assert (problem.path, problem.what) == (str(record), MISSING)
    assert summary.exists()


@pytest.mark.parametrize("trials", [3, 4])
def test_each_budget_of_a_cell_has_its_study(trials: int, tmp_path: Path) -> None:
    found = {3: tuned(tmp_path, lr=0.05), 4: tuned(tmp_path, trials=4, lr=0.06)}
    assert whats(verify([tmp_path])[1]) == []
    summary, records = found[trials]
    put("trials", 1, "params", "train.lr", to=0.07)(summary)
    problems = verify([tmp_path])[1]
    assert sorted(problem.path for problem in problems) == sorted(map(str, records))
    assert {problem.expected for problem in problems} == {f"train.lr 0.07, of trial 1 in {summary}"}
    summary.unlink()
    assert whats(verify([tmp_path])[1]) == ["tuned with another budget than its study"] * len(records)


def test_where_nothing_was_tuned_the_untuned_run_says_so(tmp_path: Path) -> None:
    """Among tuned rows a cell with nothing to tune stands as it is, and has no study."""
    plain, alone = (made(tmp_path, spec={"team": [], "tuning": budget}, trace=False) for budget in (None, BUDGET))
    tuned(tmp_path)
    assert verify([tmp_path])[1] == []
    plain.unlink()
    (problem,) = verify([tmp_path])[1]
    assert (problem.path, problem.what) == (str(alone), MISSING)
    assert problem.found == f"none of its cell in {alone.parent / 'sweep'}"
    assert "kdbench sweep" in problem.expected


def test_an_untuned_run_stands_in_for_no_study_that_found_otherwise(tmp_path: Path) -> None:
    tuned(tmp_path)
    made(tmp_path)
    same = made(tmp_path, spec={"tuning": BUDGET})  # as the suite has it, said to be the best
    (problem,) = verify([tmp_path])[1]
    assert (problem.path, problem.found) == (str(same), "train.lr 0.02, objective[1].coefficient 0.5")


def test_the_board_is_made_of_the_rest(tmp_path: Path) -> None:
    results = tmp_path / "results"
    others = several(results, 2)
    summary, records = tuned(results)
    found = read_measured([results])
    assert (len(found.runs), [study.study for study in found.studies]) == (4, [summary.stem])
    summary.unlink()
    found = read_measured([results])
    assert sorted(run.record.run_id for run in found.runs) == sorted(path.stem for path in others)
    assert sorted(problem.path for problem in found.problems) == sorted(map(str, records))
    assert found.studies == []


def test_studies_without_tuned_runs_are_looked_at_by_a_deep_look(tmp_path: Path) -> None:
    summary, records = tuned(tmp_path)
    several(tmp_path, 1)
    for record in records:
        record.unlink()
    shutil.copy(summary, summary.with_name("toy.pareto.json"))  # no summary
    put("label", to="another")(summary)
    assert usable([tmp_path])[1] == []
    (problem,) = verify([tmp_path])[1]
    assert (problem.path, problem.found, problem.expected) == (str(summary), "another", "toy · a+b · equal")
