"""Commands over suites and their records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdbench.cli.common import (
    CacheRoot,
    Format,
    Overrides,
    Results,
    Suite,
    app,
    cache_root,
    checked_device,
    plugins_here,
    say,
    tracker_names,
)
from kdbench.cli.engine_options import Address, Asked, Device, Engine, EngineName, Jobs, where
from kdbench.errors import KdbenchError

if TYPE_CHECKING:
    from kdbench.deploy.profile import Profile
    from kdbench.engines.session import Session
    from kdbench.suite.model import Suite as CheckedSuite
    from kdbench.suite.plan import RunSpec


@app.command()
def run(
    suite: Suite,
    overrides: Overrides = None,
    results: Results = Path("results"),
    cache: CacheRoot = None,
    jobs: Jobs = None,
    device: Device = "auto",
    engine: EngineName = Engine.local,
    address: Address = None,
    resources: Asked = None,
    track: Annotated[
        list[str] | None,
        typer.Option(
            help="A tracker, such as tensorboard or '{use: wandb, project: mine}'; may be given again.",
            autocompletion=tracker_names,
        ),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--profile/--no-profile", help="Measure the students at the end, once a device.")
    ] = True,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="The same suite with shrunken models and data, to see that all of it works.")
    ] = False,
) -> None:
    """Run what a suite lays out and is not recorded yet, then show its leaderboard.

    Interrupted or killed, it goes on where it was when started again. Either engine gives the same records, on a CPU the same
    ranks to the bit; with [bold]--engine ray[/bold] a run whose node is lost goes on from its checkpoint on another.
    """
    from kdbench.engines.session import Session

    checked = _suite(suite, overrides, smoke=smoke)
    place = where(engine, address, resources)
    session = Session(plugins_here(), results.resolve(), cache_root(cache), checked_device(device), jobs, place)
    for tracker in track or []:
        session.track(tracker)
    specs = _laid_out(checked)
    todo = session.pending(specs)
    if todo:
        _suite(suite, overrides, deep=True, smoke=smoke)  # better to fail here than after an hour of teachers
    run_all(session, checked, specs, todo, results, measure and not smoke)


def run_all(
    session: Session, suite: CheckedSuite, specs: list[RunSpec], todo: list[RunSpec], results: Path, measure: bool
) -> None:
    """Carries out the runs to do, then shows the leaderboard of all. Exits with 1 where a run has failed."""
    from kdbench.cli.leaderboard import show
    from kdbench.records.record import record_path

    if todo:
        _carry_out(session, specs, todo)
    else:
        say(f"All {len(specs)} runs are recorded under {results / specs[0].suite}.")
    profiles = _profiles(suite, specs, results, session.cache, session.device) if measure else []
    records = [session.records[spec.run_id] for spec in specs if spec.run_id in session.records]
    shown = [record_path(results, spec.suite, spec.run_id) for spec in specs if spec.run_id in session.records]
    show(shown, profiles, any(spec.smoke for spec in specs))
    if any(record.status in ("failed", "diverged") for record in records) or len(records) < len(specs):
        raise typer.Exit(1)


@app.command()
def plan(suite: Suite, overrides: Overrides = None, results: Results = Path("results")) -> None:
    """Show the grid, what is recorded already, and how long the rest will take once one run is known."""
    from tabulate import tabulate

    from kdbench.cli.estimate import estimate
    from kdbench.records.record import recorded

    specs = _laid_out(_suite(suite, overrides))
    known = {spec.run_id: recorded(results, spec.suite, spec.run_id) for spec in specs}
    rows = []
    for spec in specs:
        record = known[spec.run_id]
        team = " + ".join(teacher["name"] for teacher in spec.team) or ("as it is" if spec.role else "none")
        strategy = spec.strategy["name"] if spec.strategy else "–"
        names = [spec.dataset["name"], spec.student["name"], team, strategy, str(spec.seed)]
        rows.append([spec.run_id, *names, record.status if record else "to do"])
    typer.echo(tabulate(rows, headers=["run", "dataset", "student", "teachers", "strategy", "seed", "status"]))
    typer.echo("\n" + estimate(specs, known))


@app.command()
def check(suite: Suite, overrides: Overrides = None) -> None:
    """Check a suite, as far as can be told without downloading or training anything."""
    specs = _laid_out(_suite(suite, overrides, deep=True))
    typer.echo(f"{suite}: fine, {len(specs)} run{'s' if len(specs) != 1 else ''}")


@app.command()
def profile(
    suite: Suite,
    overrides: Overrides = None,
    results: Results = Path("results"),
    cache: CacheRoot = None,
    device: Device = "auto",
    style: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.table,
) -> None:
    """Measure the students of a suite that this device has not measured yet: parameters, FLOPs, latency, memory, search.

    `run` does this at its end. Do it while nothing else computes; a busy machine is noted with the figures.
    """
    from kdbench.reports import render_students, students_table

    checked = _suite(suite, overrides)
    measured = _profiles(checked, _laid_out(checked), results, cache_root(cache), device)
    if not measured:
        raise KdbenchError(f"no run of {suite} is recorded under {results}; run it first, for the gallery is its test split")
    typer.echo(render_students(students_table(measured), style.value))


@app.command()
def inspect(
    run: Annotated[str, typer.Argument(help="A run: its id, the beginning of one, or the path of its record.")],
    png: Annotated[Path | None, typer.Option("--png", help="Draw it into this file as well.")] = None,
    results: Results = Path("results"),
) -> None:
    """Show what a strategy did in one run: weights, losses, whether the teachers' gradients agree."""
    from kdbench.reports.inspect import draw, find_run, terminal

    record = find_run(run, results)
    typer.echo(terminal(record))
    if png:
        draw(record, png)
        say(f"Drawn into {png}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of suite files, for editors.

    With `# yaml-language-server: $schema=suite.schema.json` on a suite's first line, an editor completes and checks it.
    """
    from kdbench.suite.schema import json_schema

    typer.echo(json.dumps(json_schema(plugins_here()), indent=1, ensure_ascii=False))


def _suite(suite: Path, overrides: list[str] | None, deep: bool = False, smoke: bool = False) -> CheckedSuite:
    from kdbench.suite.check import load_suite

    return load_suite(suite, plugins_here(), overrides, deep, smoke)


def _laid_out(suite: CheckedSuite) -> list[RunSpec]:
    from kdbench.suite.plan import plan as lay_out

    return lay_out(suite)


def _profiles(suite: CheckedSuite, specs: list[RunSpec], results: Path, cache: Path, device: str) -> list[Profile]:
    from kdbench.deploy.profile.students import profile_students

    return profile_students(
        specs,
        results,
        cache,
        plugins_here(),
        checked_device(device),
        batches=suite.latency.batch_sizes,
        threads=suite.latency.threads,
        on_student=lambda name: say(f"Measuring {name}: parameters, FLOPs, latency, memory, search"),
    )


def _carry_out(session: Session, specs: list[RunSpec], todo: list[RunSpec]) -> None:
    from rich.console import Console

    from kdbench.cli.progress import ProgressDisplay

    if len(todo) < len(specs):
        say(f"{len(specs) - len(todo)} of {len(specs)} runs are recorded; {len(todo)} to do.")
    display = ProgressDisplay(Console(stderr=True), len(todo))
    session.plugins.register(display, "kdbench:progress")
    try:
        with display:
            session.carry_out(todo)
    except KeyboardInterrupt:
        say("\nInterrupted. Finished runs are recorded and the others have checkpoints: the same command goes on from there.")
        raise typer.Exit(130) from None
    finally:
        session.plugins.manager.unregister(display)
    for spec in todo:
        if session.logs.get(spec.run_id):
            say(f"\n--- {spec.label} printed:\n{session.logs[spec.run_id]}")
