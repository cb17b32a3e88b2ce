"""Commands for users and authors of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kdbench.cli.common import PLUGINS, app, complain, given_params, plugins_here
from kdbench.cli.completion import kinds, kinds_and_names
from kdbench.errors import KdbenchError, nearest

if TYPE_CHECKING:
    from kdbench.plugins.loading import Kind, Listed, Plugins


@app.command(rich_help_panel=PLUGINS)
def plugins(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND|NAME]",
            help="A kind (dataset, teacher, student, objective, strategy, …) or the name of a plugin.",
            autocompletion=kinds_and_names,
        ),
    ] = None,
) -> None:
    """List installed plugins; describe one with its formula, source and parameters."""
    from tabulate import tabulate

    from kdbench.plugins.loading import KINDS

    loaded = plugins_here()
    if what is not None and what not in KINDS:
        typer.echo(_described(what, loaded))
        return
    rows = [
        [of, name, listed.offer.status, listed.offer.summary, listed.provider]
        for of in KINDS
        if what in (None, of)
        for name, listed in loaded.offers(of).items()
    ]
    typer.echo(tabulate(rows, headers=["kind", "name", "status", "summary", "from"]))
    for provider, error in sorted(loaded.broken.items()):
        complain(f"\n{provider} failed to load: {error}")


@app.command(rich_help_panel=PLUGINS)
def conform(
    name: Annotated[str, typer.Argument(help="Name of a plugin.", autocompletion=kinds_and_names)],
    params: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PARAMETER=VALUE]...", help="Parameters in place of the plugin's own example."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Plugin kind, if the name is ambiguous.", autocompletion=kinds)
    ] = None,
) -> None:
    """Test every property that a plugin of its kind should have.

    Exit code 1 if one fails. Teachers are tested on images that the kit draws itself, and may train on them.
    """
    from kdbench.testing import conform as examine

    given = given_params(params, name)
    failed = False
    found = [(of, listed) for of, listed in _named(name, plugins_here()) if kind in (None, of)]
    if not found:
        raise KdbenchError(f"--kind: no {kind} is called {name!r}")
    if given and len(found) > 1:
        several = " and a ".join(of for of, _ in found)
        raise KdbenchError(f"{name!r} is the name of a {several}; choose one with --kind")
    for of, listed in found:
        typer.echo(f"{of} {name}, from {listed.provider}")
        for finding in examine(listed.offer, of, given or None):
            sign, colour = {"holds": ("✓", "green"), "fails": ("✗", "red"), "waived": ("–", "yellow")}[finding.outcome]
            typer.secho(f"  {sign} {finding.property}" + (f": {finding.detail}" if finding.detail else ""), fg=colour)
            failed |= finding.outcome == "fails"
    if failed:
        raise typer.Exit(1)


def _described(name: str, loaded: Plugins) -> str:
    from kdbench.plugins.describe import describe

    return "\n\n".join(describe(kind, listed) for kind, listed in _named(name, loaded))


def _named(name: str, loaded: Plugins) -> list[tuple[Kind, Listed]]:
    """Kind and offer of every plugin of that name; a name may be used once in each kind."""
    from kdbench.plugins.loading import KINDS

    found = [(kind, loaded.offers(kind)[name]) for kind in KINDS if name in loaded.offers(kind)]
    if not found:
        known = [*KINDS, *(other for kind in KINDS for other in loaded.offers(kind))]
        raise KdbenchError(f"no plugin and no kind of plugin is called {name!r}; {nearest(name, known)}{loaded.broken_note()}")
    return found
