"""Commands for users and authors of plugins."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from kdbench.cli.common import PLUGINS, app, complain, echo, given_params, plugins_here, show, width
from kdbench.cli.completion import kinds, kinds_and_names
from kdbench.errors import KdbenchError, nearest

if TYPE_CHECKING:
    from kdbench.plugins.loading import Kind, Listed, Plugins
    from kdbench.testing.findings import Finding

NOTICEABLE = 0.1  # seconds


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
    """List installed plugins; describe one with its formula, source and parameters.

    In a terminal, summaries are wrapped to its width; elsewhere each plugin has one line.
    """
    from kdbench.plugins.describe import plugin_table
    from kdbench.plugins.loading import KINDS

    loaded = plugins_here()
    if what is not None and what not in KINDS:
        show(_described(what, loaded))
        return
    rows = [(of, listed) for of in KINDS if what in (None, of) for listed in loaded.offers(of).values()]
    show(plugin_table(rows, width()))
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

    Each is shown as soon as it has been tested. Exit code 1 if one fails. Teachers are tested on images that the kit draws
    itself, and may train on them; without parameters they are as small as in a smoke run.
    """
    from kdbench.testing import conform as examine
    from kdbench.testing.findings import hearing

    given = given_params(params, name)
    failed = False
    found = [(of, listed) for of, listed in _named(name, plugins_here()) if kind in (None, of)]
    if not found:
        raise KdbenchError(f"--kind: no {kind} is called {name!r}")
    if given and len(found) > 1:
        several = " and a ".join(of for of, _ in found)
        raise KdbenchError(f"{name!r} is the name of a {several}; choose one with --kind")
    for of, listed in found:
        show(f"{of} {name}, from {listed.provider}")
        with hearing(_show):
            findings = examine(listed.offer, of, given or None)
        failed |= any(finding.outcome == "fails" for finding in findings)
    if failed:
        raise typer.Exit(1)


def _show(finding: Finding) -> None:
    """Prints a finding, with the time that it took if that is noticeable."""
    sign, colour = {"holds": ("✓", "green"), "fails": ("✗", "red"), "waived": ("–", "yellow")}[finding.outcome]
    took = f" ({finding.seconds:.1f} s)" if finding.seconds >= NOTICEABLE else ""
    echo(f"  {sign} {finding.property}{f': {finding.detail}' if finding.detail else ''}{took}", colour)
    sys.stdout.flush()


def _described(name: str, loaded: Plugins) -> str:
    from kdbench.plugins.describe import describe

    return "\n\n".join(describe(kind, listed) for kind, listed in _named(name, loaded))


def _named(name: str, loaded: Plugins) -> list[tuple[Kind, Listed]]:
    """Kind and offer of every plugin of that name; a name may be used once in each kind."""
    from kdbench.plugins.loading import KINDS

    found = [(kind, loaded.offers(kind)[name]) for kind in KINDS if name in loaded.offers(kind)]
    if not found:
        known = [*KINDS, *(other for kind in KINDS for other in loaded.offers(kind))]
        hint = nearest(name, known)
        end = "" if hint.endswith("?") else "."
        raise KdbenchError(
            f"no plugin and no kind of plugin is called {name!r}; {hint}{end} Or is its package not installed in this "
            f"environment (pip install --editable FOLDER)?{loaded.broken_note()}"
        )
    return found
