"""`kdbench run`: from a suite to its leaderboard; and how other commands execute runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdbench.cli.common import (
    SUITES,
    CacheRoot,
    Overrides,
    Results,
    Suite,
    app,
    cache_root,
    plugins_here,
    say,
    show,
    table_width,
)
from kdbench.cli.completion import names_of
from kdbench.cli.engine_options import IN_PROCESS, Address, Device, EngineName, Jobs, Resources, Timeout, chosen_engine

if TYPE_CHECKING:
    from kdbench.contracts import Site
    from kdbench.engines.suite_run import SuiteRun
    from kdbench.records.profile import Profile
    from kdbench.suite.source import SuiteSource

RACEABLE = "The suite has a block `race`: --race runs it with {design}, under other ids than without."
Raced = Annotated[
    bool, typer.Option("--race", help="Race: seeds go to rows that are still undecided, as the suite's block `race` says.")
]
Smoke = Annotated[bool, typer.Option("--smoke", help="Shrink models and data, to see that the whole suite works.")]


@app.command(rich_help_panel=SUITES)
def run(
    suite: Suite,
    overrides: Overrides = None,
    results: Results = Path("results"),
    cache: CacheRoot = None,
    jobs: Jobs = None,
    device: Device = "auto",
    engine: EngineName = "local",
    address: Address = None,
    resources: Resources = None,
    track: Annotated[
        list[str] | None,
        typer.Option(
            help="Add a tracker, such as tensorboard or '{use: wandb, project: mine}'; may be repeated.",
            autocompletion=names_of("tracker"),
        ),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--profile/--no-profile", help="Measure the students at the end, once per device.")
    ] = True,
    smoke: Smoke = False,
    timeout: Timeout = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what runs print, line by line.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Run in this process, one run after another, so that a debugger works in a plugin.")
    ] = False,
    redo: Annotated[
        bool, typer.Option("--redo", help="Run again what diverged, and what was recorded with other code or other files.")
    ] = False,
    race: Raced = False,
) -> None:
    """Run what a suite lays out and is not recorded yet; show its leaderboard.

    Interrupted or killed, the same command resumes. Every engine gives the same records, on a CPU the same figures to the bit.

    `kdbench run quickstart train.epochs=5`
    """
    from kdbench.cli.bars import busy
    from kdbench.engines.suite_run import SuiteRun

    source = suite_source(suite, overrides)
    chosen = chosen_engine(plugins_here(), engine, address, resources)
    if debug:
        chosen = chosen_engine(plugins_here(), IN_PROCESS)
    with busy(f"checking {source.path}"):
        where = site(results, cache, device, jobs, timeout)
        started = SuiteRun.of(source, where, chosen, plugins_here(), smoke, redo=redo, race=race)
    for tracker in track or []:
        started.track(tracker)
    if started.suite.race and not race and started.todo:
        say(RACEABLE.format(design=started.suite.race))
    if race:
        execute_race(started, verbose, debug)
    else:
        execute(started, verbose, debug)
    finish(started, measure and not smoke and not debug)


def suite_source(suite: str, overrides: list[str] | None) -> SuiteSource:
    """The suite of that file or shipped name, read once."""
    from kdbench.suite.shipped import find_suite
    from kdbench.suite.source import read_suite

    return read_suite(find_suite(suite), overrides)


def site(results: Path, cache: Path | None, device: str, jobs: int | None, timeout: float | None = None) -> Site:
    """Where results and data lie, and what executes."""
    from kdbench.contracts import Site
    from kdbench.records.provenance import checked_device

    return Site(results.resolve(), cache_root(cache), checked_device(device), jobs, timeout)


def execute(started: SuiteRun, verbose: bool = False, debug: bool = False) -> None:
    """Executes what is to do with a progress display, or without one for a debugger. An interrupt exits with 130.

    Each run prints to `SUITE/logs/ID.log` beside the records; with `verbose`, its lines are shown as they come.
    """
    from rich.markup import escape

    from kdbench.cli.bars import Terminal
    from kdbench.cli.follow_logs import LogFollower
    from kdbench.cli.progress import ProgressDisplay
    from kdbench.engines.logs import log_path
    from kdbench.engines.messages import ExecuteRun

    session, specs, todo = started.session, started.specs, started.todo
    if not todo:
        folder = session.site.results / specs[0].suite if specs else session.site.results
        say(f"All {len(specs)} runs are recorded under {_relative(folder)}.")
        return
    if len(todo) < len(specs):
        say(f"{len(specs) - len(todo)} of {len(specs)} runs are recorded; {len(todo)} to do.")
    display = ProgressDisplay(Terminal(force_terminal=False if debug else None), len(todo))
    session.plugins.register(display, "kdbench:progress")
    if verbose:
        session.engine = LogFollower(session.engine, lambda line: display.line(escape(line)))
    try:
        with display:
            started.execute()
    except KeyboardInterrupt:
        say("\nInterrupted. Finished runs are recorded; the same command resumes the others.")
        raise typer.Exit(130) from None
    finally:
        session.plugins.manager.unregister(display)
    for one in todo:
        if session.logs.get(one.run_id):
            path = log_path(session.site, ExecuteRun(spec=one))
            all_of_it = f" (all of it: {_relative(path)})" if path.exists() else ""
            say(f"\n--- {one.label} printed{all_of_it}:\n{session.logs[one.run_id]}")


def execute_race(started: SuiteRun, verbose: bool = False, debug: bool = False) -> None:
    """Executes a race round by round, saying what each is."""
    from kdbench.engines.rounds import rounds

    for one in rounds(started):
        if one.run.todo:
            say(f"{one}")
            execute(one.run, verbose, debug)


def finish(started: SuiteRun, measure: bool) -> None:
    """Measures the students if asked to and shows the leaderboard. Exits with 1 if a run failed."""
    found = started.results(profiled(started) if measure else [])
    show("\n" + found.text(width=table_width()))
    if started.failed:
        raise typer.Exit(1)


def profiled(started: SuiteRun) -> list[Profile]:
    """Profiles of the students, naming each that is about to be measured."""
    return started.profile(lambda name: say(f"Measuring {name}: parameters, FLOPs, latency, memory, search"))


def _relative(folder: Path) -> Path:
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
