"""Commands for those who use and write plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdbench.cli.common import app, complain, given_params, kinds_and_names, plugins_here, say
from kdbench.errors import KdbenchError, nearest


@app.command()
def plugins(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND|NAME]",
            help="A kind (dataset, teacher, student, objective, strategy, tracker) or the name of a plugin.",
            autocompletion=kinds_and_names,
        ),
    ] = None,
) -> None:
    """List what is installed and from where; of one plugin: formula, source, parameters with types and defaults."""
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


@app.command()
def conform(
    name: Annotated[str, typer.Argument(help="The name of a plugin.", autocompletion=kinds_and_names)],
    params: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PARAMETER=VALUE]...", help="Parameters in place of the plugin's own example."),
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Which one, where plugins of two kinds share a name.")] = None,
) -> None:
    """Try every property that a plugin of its kind should have; exit code 1 if one fails.

    Teachers are tried on pictures that the kit draws itself, and may train on them.
    """
    from kdbench.testing import conform as examine

    given = given_params(params, name)
    failed = False
    found = [(of, listed) for of, listed in _named(name, plugins_here()) if kind in (None, of)]
    if not found:
        raise KdbenchError(f"--kind: no {kind} is called {name!r}")
    if given and len(found) > 1:
        raise KdbenchError(f"{name!r} is the name of a {' and a '.join(of for of, _ in found)}; say which with --kind")
    for of, listed in found:
        typer.echo(f"{of} {name}, from {listed.provider}")
        for finding in examine(listed.offer, of, given or None):
            sign, colour = {"holds": ("✓", "green"), "fails": ("✗", "red"), "waived": ("–", "yellow")}[finding.outcome]
            typer.secho(f"  {sign} {finding.property}" + (f": {finding.detail}" if finding.detail else ""), fg=colour)
            failed |= finding.outcome == "fails"
    if failed:
        raise typer.Exit(1)


@app.command()
def new(
    kind: Annotated[str, typer.Argument(help="strategy, objective, dataset, teacher or student.")],
    name: Annotated[str, typer.Argument(help="What suites will write after `use:`.")],
    folder: Annotated[Path, typer.Option("--in", help="Where the package is written.")] = Path("."),
) -> None:
    """Write an installable package with a working plugin to start from and a test that passes."""
    from kdbench.plugins.scaffold import write_package

    for path in write_package(kind, name, folder):  # type: ignore[arg-type]
        typer.echo(path)
    say(f"\nNext: pip install -e {folder / f'kdbench-{name}'} && kdbench conform {name}")


def _described(name: str, loaded: Any) -> str:
    from kdbench.plugins.describe import describe

    return "\n\n".join(describe(kind, listed) for kind, listed in _named(name, loaded))


def _named(name: str, loaded: Any) -> list[Any]:
    """Kind and offer of every plugin of that name; a name may be used once in each kind."""
    from kdbench.plugins.loading import KINDS

    found = [(kind, loaded.offers(kind)[name]) for kind in KINDS if name in loaded.offers(kind)]
    if not found:
        known = [*KINDS, *(other for kind in KINDS for other in loaded.offers(kind))]
        raise KdbenchError(f"no plugin and no kind of plugin is called {name!r}; {nearest(name, known)}{loaded.broken_note()}")
    return found
