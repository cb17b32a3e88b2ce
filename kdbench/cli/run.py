"""`kdbench run`: from a suite to its leaderboard; and how other commands execute runs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdbench.cli.common import SUITES, CacheRoot, Overrides, Results, Suite, app, cache_root, plugins_here, say
from kdbench.cli.completion import names_of
from kdbench.cli.engine_options import Address, Device, EngineName, Jobs, Resources, chosen_engine

if TYPE_CHECKING:
    from kdbench.contracts import Site
    from kdbench.engines.suite_run import SuiteRun
    from kdbench.records.profile import Profile
    from kdbench.suite.source import SuiteSource


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
    smoke: Annotated[bool, typer.Option("--smoke", help="Shrink models and data, to see that the whole suite works.")] = False,
) -> None:
    """Run what a suite lays out and is not recorded yet; show its leaderboard.

    Interrupted or killed, the same command resumes. Every engine gives the same records, on a CPU the same figures to the bit.

    [bold]kdbench run quickstart train.epochs=5[/bold]
    """
    from kdbench.engines.suite_run import SuiteRun

    source = suite_source(suite, overrides)
    chosen = chosen_engine(plugins_here(), engine, address, resources)
    started = SuiteRun.of(source, site(results, cache, device, jobs), chosen, plugins_here(), smoke)
    for tracker in track or []:
        started.track(tracker)
    execute(started)
    finish(started, measure and not smoke)


def suite_source(suite: str, overrides: list[str] | None) -> SuiteSource:
    """The suite of that file or shipped name, read once."""
    from kdbench.suite.shipped import find_suite
    from kdbench.suite.source import read_suite

    return read_suite(find_suite(suite), overrides)


def site(results: Path, cache: Path | None, device: str, jobs: int | None) -> Site:
    """Where results and data lie, and what executes."""
    from kdbench.contracts import Site
    from kdbench.records.provenance import checked_device

    return Site(results.resolve(), cache_root(cache), checked_device(device), jobs)


def execute(started: SuiteRun) -> None:
    """Executes what is to do with a progress display. An interrupt exits with 130."""
    from rich.console import Console

    from kdbench.cli.progress import ProgressDisplay

    session, specs, todo = started.session, started.specs, started.todo
    if not todo:
        folder = session.site.results / specs[0].suite if specs else session.site.results
        say(f"All {len(specs)} runs are recorded under {_relative(folder)}.")
        return
    if len(todo) < len(specs):
        say(f"{len(specs) - len(todo)} of {len(specs)} runs are recorded; {len(todo)} to do.")
    display = ProgressDisplay(Console(stderr=True), len(todo))
    session.plugins.register(display, "kdbench:progress")
    try:
        with display:
            started.execute()
    except KeyboardInterrupt:
        say("\nInterrupted. Finished runs are recorded and the others have checkpoints: the same command resumes.")
        raise typer.Exit(130) from None
    finally:
        session.plugins.manager.unregister(display)
    for spec in todo:
        if session.logs.get(spec.run_id):
            say(f"\n--- {spec.label} printed:\n{session.logs[spec.run_id]}")


def finish(started: SuiteRun, measure: bool) -> None:
    """Measures the students if asked to and shows the leaderboard. Exits with 1 if a run failed."""
    found = started.results(profiled(started) if measure else [])
    typer.echo("\n" + found.text(width=width()))
    if started.failed:
        raise typer.Exit(1)


def profiled(started: SuiteRun) -> list[Profile]:
    """Profiles of the students, naming each that is about to be measured."""
    return started.profile(lambda name: say(f"Measuring {name}: parameters, FLOPs, latency, memory, search"))


def width() -> int | None:
    """Columns of the terminal; None if the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _relative(folder: Path) -> Path:
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
