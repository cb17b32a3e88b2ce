"""What teachers are worth to their team."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kdbench.cli.common import CacheRoot, Overrides, Results, Suite, app, cache_root, checked_device, plugins_here
from kdbench.cli.engine_options import Address, Asked, Device, Engine, EngineName, Jobs, where
from kdbench.cli.suites import _carry_out, _suite

if TYPE_CHECKING:
    from kdbench.engines.session import Session
    from kdbench.records.record import Record
    from kdbench.reports.attribution.findings import Finding
    from kdbench.reports.attribution.sub_teams import Teams
    from kdbench.suite.plan import RunSpec


class Shown(StrEnum):
    table = "table"
    json = "json"


@app.command()
def attribute(
    suite: Suite,
    overrides: Overrides = None,
    strategy: Annotated[
        str | None, typer.Option(help="Of the suite, by its label.", show_default="each of them, one attribution a strategy")
    ] = None,
    teachers: Annotated[
        str | None, typer.Option(help="Names, such as a,b,c.", show_default="those of the suite's largest team")
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="Carry out the runs that are missing.")] = False,
    results: Results = Path("results"),
    cache: CacheRoot = None,
    jobs: Jobs = None,
    device: Device = "auto",
    engine: EngineName = Engine.local,
    address: Address = None,
    resources: Asked = None,
    style: Annotated[Shown, typer.Option("--format", help="How to print it.")] = Shown.table,
) -> None:
    """Show what each teacher is worth to its team: leave-one-out and Shapley value, with 95 % intervals.

    Of T teachers all 2^T teams are compared, from none to all. [bold]leave-one-out[/bold] is what the whole team loses without
    the teacher: nothing, where another one can stand in for it. [bold]Shapley[/bold] is the teacher's share of what the team
    gains over no distillation; the shares sum to that gain. [bold]alone[/bold] is what it gains where nobody else teaches.
    An interval that holds 0 says that the figure cannot be told from chance.

    Runs that the suite has done count; without [bold]--run[/bold] the others are only counted, and how long they would take
    is told. Three teachers are 8 teams, four 16, ten, the most that are accepted, 1,024: see first, then run.

    [bold]kdbench attribute suites/emoji.yaml --strategy equal[/bold]
    """
    from kdbench.engines.session import Session
    from kdbench.reports.attribution.findings import findings, records_of, to_do
    from kdbench.reports.attribution.sub_teams import teams_for

    checked_device(device)
    named = None if teachers is None else [name.strip() for name in teachers.split(",") if name.strip()]
    teams = teams_for(_suite(suite, overrides), strategy, named)
    known = records_of(teams.specs, results)
    todo = to_do(teams.specs, known)
    if run and todo:
        place = where(engine, address, resources)
        session = Session(plugins_here(), results.resolve(), cache_root(cache), checked_device(device), jobs, place)
        known = _done(session, suite, overrides, teams)
    found = findings(teams, known, results)
    todo = to_do(teams.specs, known)
    if style is Shown.json:
        typer.echo(json.dumps(_plain(teams, found, todo), indent=1, ensure_ascii=False))
    else:
        _show(teams, found, todo, known)
    if run and any((record := known[spec.run_id]) is None or record.status in ("failed", "diverged") for spec in teams.specs):
        raise typer.Exit(1)


def _done(session: Session, suite: Path, overrides: list[str] | None, teams: Teams) -> dict[str, Record | None]:
    """Carries out what is missing; all records by run id."""
    todo = session.pending(teams.specs)
    _suite(suite, overrides, deep=True)  # better to fail here than after an hour of teachers
    _carry_out(session, teams.specs, todo)
    return {spec.run_id: session.records.get(spec.run_id) for spec in teams.specs}


def _show(teams: Teams, found: Sequence[Finding], todo: Sequence[RunSpec], known: dict[str, Record | None]) -> None:
    from kdbench.cli.estimate import estimate
    from kdbench.reports.attribution.findings import few
    from kdbench.reports.attribution.shapley import named

    for one in found:
        typer.echo(f"{one.game.label}\n")
        lines = one.attribution.lines() if one.attribution else [f"not known: {one.reason}"]
        lines += [] if one.attribution else [f"note: {note}" for note in one.notes]
        typer.echo("\n".join(f"  {line}".rstrip() for line in lines) + "\n")
    if len(found) > 1:
        typer.echo(f"{len(found)} attributions: p-values are corrected within each, not over all of them.")
    for note in teams.notes:
        typer.echo(f"note: {note}")
    if todo:
        missing = list(dict.fromkeys(named(teacher["name"] for teacher in spec.team) for spec in todo))
        runs, of = ("run", "team") if len(todo) == 1 else ("runs", "teams" if len(missing) > 1 else "team")
        verb = "is" if len(todo) == 1 else "are"
        typer.echo(f"{len(todo)} {runs} of {len(missing)} {of} {verb} missing ({few(missing)}); `--run` does them.")
    typer.echo(estimate(teams.specs, known))


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
