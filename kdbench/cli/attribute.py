"""`kdbench attribute`: the contribution of each teacher to its team."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kdbench.cli.common import RESULTS, CacheRoot, Overrides, Results, Suite, app, plugin_of, plugins_here, show
from kdbench.cli.completion import names_of
from kdbench.cli.engine_options import Address, Device, EngineName, Jobs, Resources, Timeout, chosen_engine
from kdbench.cli.run import execute, site, suite_source
from kdbench.errors import counted

if TYPE_CHECKING:
    from kdbench.contracts import Attribution
    from kdbench.records.record import Record
    from kdbench.reports.attribution import Finding
    from kdbench.suite.model import Suite as CheckedSuite
    from kdbench.suite.spec import RunSpec
    from kdbench.suite.sub_teams import Teams


class Shown(StrEnum):
    table = "table"
    json = "json"


@app.command(rich_help_panel=RESULTS)
def attribute(
    suite: Suite,
    overrides: Overrides = None,
    strategy: Annotated[
        str | None, typer.Option(help="Label of one strategy.", show_default="each of the suite, one attribution per strategy")
    ] = None,
    teachers: Annotated[
        str | None, typer.Option(help="Names, such as a,b,c.", show_default="those of the suite's largest team")
    ] = None,
    method: Annotated[
        str,
        typer.Option(help="How to divide a team's value among its teachers.", autocompletion=names_of("attribution")),
    ] = "shapley",
    run: Annotated[bool, typer.Option("--run", help="Execute the runs that are missing.")] = False,
    results: Results = Path("results"),
    cache: CacheRoot = None,
    jobs: Jobs = None,
    device: Device = "auto",
    engine: EngineName = "local",
    address: Address = None,
    resources: Resources = None,
    timeout: Timeout = None,
    style: Annotated[Shown, typer.Option("--format", help="How to print it.")] = Shown.table,
) -> None:
    """Show what each teacher contributes to its team, with 95 % intervals.

    For T teachers all 2^T sub-teams are compared, from none to all. `leave-one-out` is what the whole team loses
    without the teacher: nothing if another one can replace it. `Shapley` divides what the team gains over no
    distillation among the teachers; the values sum to that gain. `alone` is what the teacher gains as the only one.
    An interval that holds 0 means that the contribution is not significant.

    Recorded runs of the suite count. Without `--run` the missing ones are only counted, with an estimate of
    their duration. Three teachers make 8 teams, four 16, ten, the most that are accepted, 1,024.

    `kdbench attribute emoji --strategy equal`
    """
    from kdbench.engines.suite_run import SuiteRun
    from kdbench.reports.attribution import findings, records_of, to_do
    from kdbench.suite.sub_teams import teams_for

    named = None if teachers is None else [name.strip() for name in teachers.split(",") if name.strip()]
    laid_out: list[Teams] = []

    def lay_out(checked: CheckedSuite) -> list[RunSpec]:
        laid_out.append(teams_for(checked, strategy, named))
        return laid_out[-1].specs

    divided: Attribution = plugin_of("attribution", method, "--method")
    chosen = chosen_engine(plugins_here(), engine, address, resources)
    source, where = suite_source(suite, overrides), site(results, cache, device, jobs, timeout)
    started = SuiteRun.of(source, where, chosen, plugins_here(), lay_out=lay_out)
    teams = laid_out[0]
    if run and started.todo:
        execute(started)
    known = records_of(teams.specs, results)
    found = findings(teams, known, results, divided)
    todo = to_do(teams.specs, known)
    if style is Shown.json:
        show(json.dumps(_plain(teams, found, todo), indent=1, ensure_ascii=False))
    else:
        _show(teams, found, todo, known)
    if run and any((record := known[spec.run_id]) is None or record.status in ("failed", "diverged") for spec in teams.specs):
        raise typer.Exit(1)


def _show(teams: Teams, found: Sequence[Finding], todo: Sequence[RunSpec], known: dict[str, Record | None]) -> None:
    from kdbench.cli.estimate import estimate
    from kdbench.reports.attribution import few
    from kdbench.suite.sub_teams import named

    for one in found:
        show(f"{one.game.label}\n")
        lines = one.attribution.lines() if one.attribution else [f"unknown: {one.reason}"]
        lines += [] if one.attribution else [f"note: {note}" for note in one.notes]
        show("\n".join(f"  {line}".rstrip() for line in lines) + "\n")
    if len(found) > 1:
        show(f"{len(found)} attributions: p-values are corrected within each, not over all of them.")
    for note in teams.notes:
        show(f"note: {note}")
    if todo:
        missing = list(dict.fromkeys(named(spec.teachers) for spec in todo))
        verb = "is" if len(todo) == 1 else "are"
        of = f"{counted(len(todo), 'run')} of {counted(len(missing), 'sub-team')}"
        show(f"{of} {verb} missing ({few(missing)}); `--run` executes them.")
    show(estimate(teams.specs, known))


def _plain(teams: Teams, found: Sequence[Finding], todo: Sequence[RunSpec]) -> dict[str, Any]:
    return {
        "attributions": [
            {
                "dataset": one.game.dataset,
                "student": one.game.student,
                "variant": one.game.variant,
                "strategy": one.game.strategy,
                "teachers": list(one.game.teachers),
                "missing": [spec.run_id for spec in one.missing],
            }
            | (one.attribution.plain() if one.attribution else {"reason": one.reason, "notes": list(one.notes)})
            for one in found
        ],
        "missing": [{"run_id": spec.run_id, "label": spec.label} for spec in todo],
        "notes": teams.notes,
    }
