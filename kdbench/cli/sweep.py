"""`kdbench sweep`: equal budgets of tuning for every cell, then the tuned runs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kdbench.cli.common import SUITES, CacheRoot, Overrides, Results, Suite, app, plugins_here, say, show
from kdbench.cli.engine_options import Address, Device, EngineName, Jobs, Resources, Timeout, chosen_engine
from kdbench.cli.run import execute, finish, site, suite_source
from kdbench.errors import KdbenchError, counted

if TYPE_CHECKING:
    from kdbench.engines.tuner import Tuner
    from kdbench.records.study_summary import StudySummary
    from kdbench.suite.study import Study

JOURNAL = "studies.journal"


@app.command(rich_help_panel=SUITES)
def sweep(
    suite: Suite,
    overrides: Overrides = None,
    results: Results = Path("results"),
    cache: CacheRoot = None,
    jobs: Jobs = None,
    device: Device = "auto",
    engine: EngineName = "local",
    address: Address = None,
    resources: Resources = None,
    timeout: Timeout = None,
    storage: Annotated[
        str | None,
        typer.Option(
            envvar="KDBENCH_STORAGE",
            help="Where the studies are: a journal file, or a database for many machines: postgresql://USER@HOST/NAME.",
            show_default="a journal beside the records",
        ),
    ] = None,
    status: Annotated[bool, typer.Option("--status", help="Show the progress of the studies and run nothing.")] = False,
    only_tune: Annotated[bool, typer.Option("--only-tune", help="Leave out the runs that follow from the tuning.")] = False,
) -> None:
    """Tune every cell of a suite with equal budgets, then run the best parameters.

    Every cell gets the same number of trials on validation; the suite's `sweep:` block says how. Then the best parameters,
    and the suite's own, run over all seeds. No trial sees the test split. Interrupted or killed, the same command resumes.

    `kdbench sweep emoji-sweep`
    """
    from kdbench.engines.dispatch import limited
    from kdbench.engines.suite_run import SuiteRun
    from kdbench.engines.tuner import Tuner
    from kdbench.records.study_summary import study_path
    from kdbench.suite.check import check_suite
    from kdbench.suite.plan import plan
    from kdbench.suite.study import studies, tuned

    source = suite_source(suite, overrides)
    checked = check_suite(source, plugins_here())
    if checked.sweep is None:
        raise KdbenchError(
            f"{source.path}: no `sweep:` block; expected one with trials and space, as in suites/emoji-sweep.yaml"
        )
    todo = studies(checked)
    if not todo:
        raise KdbenchError(f"{source.path}: none of its cells has any of the parameters in `sweep:`")
    where, chosen = site(results, cache, device, jobs, timeout), chosen_engine(plugins_here(), engine, address, resources)
    place = storage or str(where.results / checked.name / "sweep" / JOURNAL)
    tuner = Tuner(site=limited(where, checked), engine=chosen, storage=place)
    if status:
        if storage or Path(place).exists() or any(tuner.summary(study) for study in todo):
            _show(tuner, todo)
        else:
            trials = counted(checked.sweep.settings.trials, "trial")
            show(f"None of the {counted(len(todo), 'study')} of {source.path} has begun; each has {trials} to do.")
        return
    if any(tuner.summary(study) is None for study in todo):
        check_suite(source, plugins_here(), deep=True)  # better to fail here than after an hour of teachers
    found = _tuned(tuner, todo)
    _show(tuner, todo)
    if checked.sweep.settings.objectives or only_tune:
        return
    best = {one.study: one.best_trial.params for one in found if one.best_trial}
    for one in found:
        if one.best is None:
            file = study_path(results, checked.name, one.study)
            say(f"{one.label}: no trial is complete, so there is nothing to run tuned; see {file}")
    started = SuiteRun.of(source, where, chosen, plugins_here(), lay_out=lambda suite: [*plan(suite), *tuned(suite, best)])
    execute(started)
    finish(started, measure=True)
    if len(best) < len(found):
        raise typer.Exit(1)


def _tuned(tuner: Tuner, todo: list[Study]) -> list[StudySummary]:
    """Conducts the studies with a display of their progress. An interrupt exits with 130."""
    from kdbench.cli.bars import Terminal
    from kdbench.cli.sweep_display import UNFINISHED, SweepDisplay

    known: dict[str, tuple[Study, int, float | None]] = {}
    for study in todo:
        if tuner.summary(study) is None:
            counts, so_far = tuner.opened.counts(study), tuner.opened.summary(study)
            ended = sum(number for state, number in counts.items() if state not in UNFINISHED)
            best = so_far.best_trial
            known[study.name] = (study, ended, best.values[0] if best else None)
    trials = counted(todo[0].settings.trials, "trial")
    say(f"{len(todo) - len(known)} of {counted(len(todo), 'study')} complete; {trials} each.")
    try:
        with SweepDisplay(Terminal(), known) as display:
            tuner.listener = display
            return tuner.tune(todo)
    except KeyboardInterrupt:
        say("\nInterrupted. Trials that ended are kept; the same command resumes the others.")
        raise typer.Exit(130) from None


def _show(tuner: Tuner, todo: list[Study]) -> None:
    from tabulate import tabulate

    from kdbench.tuning.storage_url import driven, shown

    rows: list[list[str]] = []
    fronts = []
    for study in todo:
        summary = tuner.summary(study)
        counts = Counter(str(one.state) for one in summary.trials) if summary else tuner.opened.counts(study)
        summary = summary or tuner.opened.summary(study)
        best = summary.best_trial
        several = len(summary.goals) > 1
        value = f"{len(summary.pareto)} in the Pareto set" if several else f"{best.values[0]:.4f}" if best else "–"
        states = [counts[state] for state in ("complete", "pruned", "diverged", "failed", "running")]
        total = f"{sum(states[:4])}/{study.settings.trials}"
        importance = ", ".join(f"{path} {share:.2f}" for path, share in summary.importance.items()) or "–"
        rows.append([study.label, total, *map(str, states), value, _params(best.params) if best else "–", importance])
        if several and summary.pareto:
            fronts.append(summary)
    settings = todo[0].settings
    metric = "best" if settings.objectives else f"best {settings.metric} on validation"
    states_named = ["complete", "pruned", "diverged", "failed", "running"]
    heads = ["study", "trials", *states_named, metric, "parameters", "importance (PED-ANOVA)"]
    show(tabulate(rows, headers=heads, disable_numparse=True))
    for summary in fronts:
        show("\n" + _pareto(summary))
    say(f"\nHistory and plots: pip install optuna-dashboard; optuna-dashboard {shown(driven(tuner.storage))}")


def _pareto(summary: StudySummary) -> str:
    """The configurations that no other one dominates."""
    from tabulate import tabulate

    signs = {"maximize": "↑", "minimize": "↓"}
    goals = zip(summary.goals, summary.directions, strict=True)
    heads = ["trial", *(f"{goal} {signs[direction]}" for goal, direction in goals), "parameters"]
    rows = [[one.number, *(f"{value:.6g}" for value in one.values), _params(one.params)] for one in summary.pareto_trials]
    return f"Pareto set of {summary.label}, on validation\n{tabulate(rows, headers=heads, disable_numparse=True)}"


def _params(params: dict[str, Any]) -> str:
    return " ".join(f"{path}={value:.4g}" if isinstance(value, float) else f"{path}={value}" for path, value in params.items())
