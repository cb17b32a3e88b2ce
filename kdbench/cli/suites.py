"""Commands over suites that execute nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kdbench.cli.common import SUITES, CacheRoot, Overrides, Results, Suite, app, complain, plugins_here, say, show, table_width
from kdbench.cli.completion import suite_names
from kdbench.cli.engine_options import chosen_engine
from kdbench.cli.run import RACEABLE, Raced, Smoke, site, suite_source
from kdbench.errors import counted


@app.command(rich_help_panel=SUITES)
def suites() -> None:
    """List the suites that ship with kdbench, one line each.

    Their names stand for their files: `kdbench run quickstart`. `kdbench new suite NAME` writes your own.
    """
    from kdbench.suite import shipped

    known = shipped.suites()
    wide = max(map(len, known), default=0)
    for name, path in known.items():
        show(f"{name:<{wide}}  {shipped.description(path)}")
    say(f"\nStart with `kdbench run quickstart`. The files, to copy and change, are in {shipped.folder()}")


@app.command(rich_help_panel=SUITES)
def plan(
    suite: Suite,
    overrides: Overrides = None,
    results: Results = Path("results"),
    cache: CacheRoot = None,
    smoke: Smoke = False,
    race: Raced = False,
    runs: Annotated[bool, typer.Option("--runs", help="List every run with its id, however many there are.")] = False,
) -> None:
    """Show the runs of a suite, which are recorded, and how long the rest will take.

    More than 40 runs are shown as rows, with the runs of each. `ok, changed` is a run that was recorded with other code or
    other files; `ok, to do again` evaluates a student that has been trained again since; of a race, `not needed` is a seed of a
    row that has stopped.
    """
    from kdbench.cli.bars import busy
    from kdbench.cli.estimate import estimate
    from kdbench.cli.plan_text import plan_text
    from kdbench.cli.views_cost import costs_of_views
    from kdbench.engines.make import LOCAL
    from kdbench.engines.suite_run import SuiteRun
    from kdbench.records.files import recorded
    from kdbench.records.record import DONE
    from kdbench.reports.text_table import wrapped
    from kdbench.suite.stages import in_words

    plugins = plugins_here()
    where, engine = site(results, cache, "auto", None), chosen_engine(plugins, LOCAL)
    with busy(f"checking {suite}"):
        planned = SuiteRun.of(suite_source(suite, overrides), where, engine, plugins, smoke, race=race)
        raced = None
        if race:  # it needs statistics, which other plans do without
            from kdbench.cli.plan_race import Planned

            raced = Planned.of(planned)
    specs, changed = planned.specs, planned.session.changed
    known = planned.session.records | {spec.run_id: recorded(results, spec) for spec in planned.todo}
    again = {spec.run_id for spec in planned.todo if (record := known[spec.run_id]) and record.status in DONE}
    notes = dict.fromkeys(changed, ", changed") | dict.fromkeys(again, ", to do again")
    open_ = {spec.run_id: "to do" if raced is None or raced.goes_on(spec) else "not needed" for spec in specs}
    states = {id: f"{record.status if (record := known[id]) else open_[id]}{notes.get(id, '')}" for id in open_}
    show(plan_text(specs, states, table_width(), runs))
    lines = [*raced.lines()] if raced else []
    wanted = raced.until_next_look if raced else specs
    lines += [estimate(wanted, known | dict.fromkeys(again), len(changed))]
    lines += dict.fromkeys(in_words(spec) for spec in specs if spec.stages)
    lines += costs_of_views([spec for spec in specs if states[spec.run_id] == "to do"], plugins)
    show("\n" + "\n".join(wrapped(line, "table", table_width()) for line in lines))
    if not race and planned.suite.race:
        say(RACEABLE.format(design=planned.suite.race))


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
        show(source.resolved.rstrip("\n"))
        say(f"\n{source.path}: fine, {counted(len(specs), 'run')}")
    else:
        show(f"{source.path}: fine, {counted(len(specs), 'run')}")


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
    show(json.dumps(json_schema(loaded), indent=1, ensure_ascii=False))
    for provider, error in sorted(loaded.broken.items()):
        complain(f"{provider} is left out, wholly or in part: {error}")
