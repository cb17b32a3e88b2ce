"""`kdbench sweep`: equal budgets of tuning for every cell, then the tuned runs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kdbench.cli.common import CacheRoot, Overrides, Results, Suite, app, cache_root, checked_device, plugins_here, say
from kdbench.cli.engine_options import Address, Asked, Device, Engine, EngineName, Jobs, where
from kdbench.cli.suites import _suite, run_all
from kdbench.errors import KdbenchError

if TYPE_CHECKING:
    from kdbench.engines.tuner import Tuner
    from kdbench.records.study_summary import StudySummary
    from kdbench.suite.model import Suite as CheckedSuite
    from kdbench.tuning.study import Study

JOURNAL = "studies.journal"


@app.command()
def sweep(
    suite: Suite,
    overrides: Overrides = None,
    results: Results = Path("results"),
    cache: CacheRoot = None,
    jobs: Jobs = None,
    device: Device = "auto",
    engine: EngineName = Engine.local,
    address: Address = None,
    resources: Asked = None,
    storage: Annotated[
        str | None,
        typer.Option(
            envvar="KDBENCH_STORAGE",
            help="Where the studies are: a journal file, or a database for many machines: postgresql://USER@HOST/NAME.",
            show_default="a journal beside the records",
        ),
    ] = None,
    status: Annotated[bool, typer.Option("--status", help="Show how far the studies are, and run nothing.")] = False,
    only_tune: Annotated[bool, typer.Option("--only-tune", help="Leave out the runs that follow from the tuning.")] = False,
) -> None:
    """Tune every cell of a suite on validation, with as many trials each, then run what was found over all seeds.

    The suite says how in its `sweep:` block. No trial sees the test split; the tuned runs are ranked on it, and so are those
    with the suite's own parameters. Interrupted or killed, it goes on where it was when started again.
    """
    from kdbench.engines.session import Session
    from kdbench.engines.tuner import Tuner
    from kdbench.suite.plan import plan
    from kdbench.tuning.study import studies, tuned

    checked = _suite(suite, overrides)
    if checked.sweep is None:
        raise KdbenchError(f"{suite}: no `sweep:` block; expected one with trials and space, as in suites/emoji-sweep.yaml")
    todo = studies(checked)
    if not todo:
        raise KdbenchError(f"{suite}: none of its cells has any of the parameters in `sweep:`")
    place = storage or str(results.resolve() / checked.name / "sweep" / JOURNAL)
    engines = where(engine, address, resources)
    tuner = Tuner(results.resolve(), cache_root(cache), place, checked_device(device), jobs, engines)
    if status:
        if storage or Path(place).exists() or any(tuner.summary(study) for study in todo):
            _show(tuner, todo, place)
        else:
            trials = checked.sweep.settings.trials
            typer.echo(f"None of the {len(todo)} studies of {suite} has begun; each has {trials} trials to do.")
        return
    if any(tuner.summary(study) is None for study in todo):
        _suite(suite, overrides, deep=True)  # better to fail here than after an hour of teachers
    found = _tuned(tuner, todo)
    _show(tuner, todo, place)
    if checked.sweep.settings.objectives or only_tune:
        return
    best = {one.study: one.best_trial.params for one in found if one.best_trial}
    for one in found:
        if one.best is None:
            say(f"{one.label}: no trial is complete, so there is nothing to run tuned; see {_file(results, checked, one)}")
    session = Session(plugins_here(), results.resolve(), tuner.cache, tuner.device, jobs, engines)
    specs = [*plan(checked), *tuned(checked, best)]
    run_all(session, checked, specs, session.pending(specs), results, measure=True)
    if len(best) < len(found):
        raise typer.Exit(1)


def _file(results: Path, suite: CheckedSuite, summary: StudySummary) -> Path:
    from kdbench.records.study_summary import study_path

    return study_path(results, suite.name, summary.study)


def _tuned(tuner: Tuner, todo: list[Study]) -> list[StudySummary]:
    """Conducts the studies, showing how far they are."""
    from rich.console import Console

    from kdbench.cli.sweep_display import UNFINISHED, SweepDisplay

    known: dict[str, tuple[Study, int, float | None]] = {}
    for study in todo:
        if tuner.summary(study) is None:
            counts, so_far = tuner.opened.counts(study), tuner.opened.summary(study)
            ended = sum(number for state, number in counts.items() if state not in UNFINISHED)
            best = so_far.best_trial
            known[study.name] = (study, ended, best.values[0] if best else None)
    say(f"{len(todo) - len(known)} of {len(todo)} studies are complete; {todo[0].how.trials} trials each.")
    try:
        with SweepDisplay(Console(stderr=True), known) as display:
            tuner.listen = display
            return tuner.carry_out(todo)
    except KeyboardInterrupt:
        say("\nInterrupted. Trials that ended are kept and the others have checkpoints: the same command goes on from there.")
        raise typer.Exit(130) from None


def _show(tuner: Tuner, todo: list[Study], place: str) -> None:
    from tabulate import tabulate

    from kdbench.tuning.storage_url import driven, shown

    rows: list[list[Any]] = []
    fronts = []
    for study in todo:
        summary = tuner.summary(study)
        counts = Counter(str(one.state) for one in summary.trials) if summary else tuner.opened.counts(study)
        summary = summary or tuner.opened.summary(study)
        best = summary.best_trial
        several = len(summary.goals) > 1
        value = f"{len(summary.pareto)} in the Pareto set" if several else f"{best.values[0]:.4f}" if best else "–"
        states = [counts[state] for state in ("complete", "pruned", "diverged", "failed", "running")]
        total = f"{sum(states[:4])}/{study.how.trials}"
        importance = ", ".join(f"{path} {share:.2f}" for path, share in summary.importance.items()) or "–"
        rows.append([study.label, total, *states, value, _params(best.params) if best else "–", importance])
        if several and summary.pareto:
            fronts.append(summary)
    metric = "best" if todo[0].how.objectives else f"best {todo[0].how.metric} on validation"
    heads = ["study", "trials", "complete", "pruned", "diverged", "failed", "running", metric, "with", "importance (PED-ANOVA)"]
    typer.echo(tabulate(rows, headers=heads, disable_numparse=True))
    for summary in fronts:
        typer.echo("\n" + _pareto(summary))
    say(f"\nHistory and plots: pip install optuna-dashboard; optuna-dashboard {shown(driven(place))}")


def _pareto(summary: StudySummary) -> str:
    """The configurations that no other beats in every goal."""
    from tabulate import tabulate

    ways = {"maximize": "↑", "minimize": "↓"}
    heads = ["trial", *(f"{goal} {ways[way]}" for goal, way in zip(summary.goals, summary.directions, strict=True)), "with"]
    rows = [[one.number, *(f"{value:.6g}" for value in one.values), _params(one.params)] for one in summary.pareto_trials]
    return f"Pareto set of {summary.label}, on validation\n{tabulate(rows, headers=heads, disable_numparse=True)}"


def _params(params: dict[str, Any]) -> str:
    return " ".join(f"{path}={value:.4g}" if isinstance(value, float) else f"{path}={value}" for path, value in params.items())
