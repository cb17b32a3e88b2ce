"""Commands over suites that execute nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdbench.cli.common import SUITES, CacheRoot, Overrides, Results, Suite, app, complain, counted, plugins_here, say
from kdbench.cli.completion import suite_names
from kdbench.cli.engine_options import chosen_engine
from kdbench.cli.run import RACEABLE, Raced, Smoke, site, suite_source

if TYPE_CHECKING:
    from kdbench.records.record import Record
    from kdbench.suite.spec import RunSpec


@app.command(rich_help_panel=SUITES)
def suites() -> None:
    """List the suites that ship with kdbench, one line each.

    Their names stand for their files: `kdbench run quickstart`. `kdbench new suite NAME` writes your own.
    """
    from kdbench.suite import shipped

    known = shipped.suites()
    wide = max(map(len, known), default=0)
    for name, path in known.items():
        typer.echo(f"{name:<{wide}}  {shipped.description(path)}")
    say(f"\nStart with `kdbench run quickstart`. The files, to copy and change, are in {shipped.folder()}")


@app.command(rich_help_panel=SUITES)
def plan(
    suite: Suite,
    overrides: Overrides = None,
    results: Results = Path("results"),
    cache: CacheRoot = None,
    smoke: Smoke = False,
    race: Raced = False,
) -> None:
    """Show the runs of a suite, which are recorded, and how long the rest will take.

    `ok, changed` is a run that was recorded with other code or other files; `ok, to do again` evaluates a student that has been
    trained again since.
    """
    from tabulate import tabulate

    from kdbench.cli.bars import busy
    from kdbench.cli.estimate import estimate
    from kdbench.cli.views_cost import costs_of_views
    from kdbench.engines.make import LOCAL
    from kdbench.engines.suite_run import SuiteRun
    from kdbench.records.files import recorded
    from kdbench.records.record import DONE
    from kdbench.suite.stages import in_words

    plugins = plugins_here()
    where, engine = site(results, cache, "auto", None), chosen_engine(plugins, LOCAL)
    with busy(f"checking {suite}"):
        planned = SuiteRun.of(suite_source(suite, overrides), where, engine, plugins, smoke, race=race)
    specs, changed = planned.specs, planned.session.changed
    if design := planned.suite.raced:
        specs = [spec for spec in specs if spec.reference or spec.seed < design.seeds_at_looks[0]]
    known = planned.session.records | {spec.run_id: recorded(results, spec) for spec in planned.todo}
    again = {spec.run_id for spec in planned.todo if (record := known[spec.run_id]) and record.status in DONE}
    notes = dict.fromkeys(changed, ", changed") | dict.fromkeys(again, ", to do again")
    rows = [_row(spec, known[spec.run_id], notes.get(spec.run_id, "")) for spec in specs]
    heads = ["run", "dataset", "student", "variant", "teachers", "strategy", "seed", "status"]
    if not any(spec.variant for spec in specs):
        rows = [[*row[:3], *row[4:]] for row in rows]
        heads.remove("variant")
    align = ["right" if head == "seed" else "left" for head in heads]
    typer.echo(tabulate(rows, headers=heads, colalign=align if rows else None, disable_numparse=True))
    typer.echo("\n" + estimate(specs, known | dict.fromkeys(again), len(changed)))
    for line in dict.fromkeys(in_words(spec) for spec in specs if spec.stages):
        typer.echo(line)
    if not design and planned.suite.race:
        say(RACEABLE.format(design=planned.suite.race))
    if design:
        typer.echo(f"Until the first look of the race, with {design}; at most {len(planned.specs)} runs if nothing is decided.")
    for line in costs_of_views([spec for spec in specs if known[spec.run_id] is None], plugins):
        typer.echo(line)


@app.command(rich_help_panel=SUITES)
def check(
    suites: Annotated[
        list[str],
        typer.Argument(
            metavar="SUITE... [PATH=VALUE]...",
            help="Suite files, folders of suite files, names of shipped suites; then changes, which all of them get.",
            autocompletion=suite_names,
        ),
    ],
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Print the suite as YAML, with presets and overrides filled in.")
    ] = False,
) -> None:
    """Check suites as far as possible without downloading or training anything.

    Each is checked, whatever is wrong with those before it; exit code 2 if something is.
    """
    from kdbench.errors import KdbenchError

    given, overrides = _suites_and_overrides(suites)
    wrong = 0
    for suite in given:
        try:
            _check(suite, overrides, resolved)
        except KdbenchError as error:
            wrong += 1
            complain(str(error))
    if wrong:
        if len(given) > 1:
            complain(f"{wrong} of {counted(len(given), 'suite')} wrong")
        raise typer.Exit(2)


def _check(suite: str, overrides: list[str], resolved: bool) -> None:
    from kdbench.cli.bars import busy
    from kdbench.suite.check import check_suite
    from kdbench.suite.plan import plan as lay_out

    source = suite_source(suite, overrides)
    with busy(f"checking {source.path}"):
        specs = lay_out(check_suite(source, plugins_here(), deep=True))
    if resolved:
        typer.echo(source.resolved.rstrip("\n"))
        say(f"\n{source.path}: fine, {counted(len(specs), 'run')}")
    else:
        typer.echo(f"{source.path}: fine, {counted(len(specs), 'run')}")


def _suites_and_overrides(given: list[str]) -> tuple[list[str], list[str]]:
    """Suites, folders replaced by the suite files in them, up to the first override.

    A folder without suites may have the name of a shipped suite, which is meant then. Raises SuiteError for another such
    folder, and for a suite after an override.
    """
    from kdbench.errors import SuiteError, nearest
    from kdbench.suite import shipped

    count = next((n for n, text in enumerate(given) if n and "=" in text and not Path(text).exists()), len(given))
    names = shipped.suites()
    late = next((text for text in given[count:] if Path(text).exists() or text in names), None)
    if late is not None:
        raise SuiteError(f"found {late} after the change {given[count]}; expected suites before changes, which all of them get")
    suites: list[str] = []
    for text in given[:count]:
        known = text.endswith(shipped.SUFFIX) or Path(text).exists() or text in names
        if text is not given[0] and not known:
            raise SuiteError(f"override {text!r}: expected dotted.path=value, or a suite. {nearest(text, names)}")
        if not Path(text).is_dir():
            suites.append(text)
            continue
        found = [str(path) for path in sorted(Path(text).glob(f"*{shipped.SUFFIX}"))]
        if not found and text in names:
            found = [text]
        if not found:
            raise SuiteError(f"{text}: found no file *{shipped.SUFFIX} in this folder; expected suites")
        suites += found
    return suites, given[count:]


@app.command(rich_help_panel=SUITES)
def schema() -> None:
    """Print the JSON Schema of suite files, for editors.

    With `# yaml-language-server: $schema=suite.schema.json` on a suite's first line, an editor completes and checks it.
    """
    from kdbench.suite.schema import json_schema

    loaded = plugins_here()
    typer.echo(json.dumps(json_schema(loaded), indent=1, ensure_ascii=False))
    for provider, error in sorted(loaded.broken.items()):
        complain(f"{provider} is left out, wholly or in part: {error}")


def _row(spec: RunSpec, record: Record | None, note: str) -> list[str]:
    team = "teacher itself" if spec.reference else " + ".join(spec.teachers) or "no distillation"
    strategy = spec.strategy.name if spec.strategy else "–"
    status = record.status + note if record else "to do"
    return [spec.run_id, spec.dataset.name, spec.student.name, spec.variant, team, strategy, spec.which, status]
