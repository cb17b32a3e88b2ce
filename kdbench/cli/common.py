"""What all commands share: the application, common arguments, messages and exit codes."""

from __future__ import annotations

import io
import os
import shutil
import sys
import traceback
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from kdbench.cli.completion import suite_names
from kdbench.contracts.neutral import neutral
from kdbench.errors import KdbenchError, KdbenchWarning
from kdbench.plugins.library_warnings import collected

if TYPE_CHECKING:
    from kdbench.plugins.loading import Kind, Plugins

# Before torch is ever imported, here or in a worker: threads that wait must not spin on shared cores.
os.environ.setdefault("GOMP_SPINCOUNT", "0")

# Panels of `kdbench --help`, in this order
SUITES, RESULTS, MODELS, PLUGINS = "Suites", "Results", "Models and data", "Plugins and help"
HELP = {"help_option_names": ["-h", "--help"]}

LOOP = "Symlink loop from"  # how pathlib begins its RuntimeError
NO_TERMINAL = 100  # columns of a table where there is no terminal

app = typer.Typer(
    name="kdbench",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings=HELP,
    help="Compare ways of weighting several teachers that distil into one small student.\n\n"
    "Start with `kdbench run quickstart`; `kdbench suites` lists what else there is. "
    "Exit codes: 0 done, 1 a run failed, 2 the suite or a plugin is wrong.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from kdbench import __version__

        show(f"kdbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Options of kdbench itself."""


class Format(StrEnum):
    table = "table"
    markdown = "markdown"
    csv = "csv"
    json = "json"


Suite = Annotated[
    str,
    typer.Argument(
        metavar="SUITE", help="A suite file, or the name of a shipped suite such as quickstart.", autocompletion=suite_names
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PATH=VALUE]...", help="Changes to the suite, such as train.lr=1e-3 or 'seeds=[0, 1]'."),
]
Results = Annotated[Path, typer.Option("--results", help="Folder of the records.")]
CacheRoot = Annotated[
    Path | None,
    typer.Option("--cache", envvar="KDBENCH_CACHE", help="Folder of derived data.", show_default="the user's cache folder"),
]


def given_params(params: list[str] | None, source: str) -> dict[str, Any]:
    """`PARAMETER=VALUE` as a plugin's parameters; `source` names them in errors."""
    from kdbench.suite.diagnostics import Diagnostics
    from kdbench.suite.overrides import apply_override

    given: dict[str, Any] = {}
    for param in params or []:
        apply_override(given, param, Diagnostics(source, {}))
    return given


def plugins_here() -> Plugins:
    """The plugins of this environment."""
    from kdbench.plugins.loading import installed

    return installed()


def plugin_of(kind: Kind, text: str, option: str, **more: Any) -> Any:
    """Builds the plugin that an option names, alone or as a map with its options; `more` are options given elsewhere.

    Raises KdbenchError, naming the option.
    """
    from kdbench.engines.make import named
    from kdbench.plugins.building import build_spec, building_with
    from kdbench.suite.plugin_entries import plug

    plugins = plugins_here()
    name, options = named(text, option, f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}")
    with building_with(plugins):
        return build_spec(kind, plug(kind, {**options, **more, "use": name}, option, plugins))


def cache_root(cache: Path | None) -> Path:
    """The folder of derived data, as an absolute path."""
    from kdbench.storage.cache import default_root

    return (cache or default_root()).resolve()


def complain(text: str) -> None:
    """Prints an error."""
    echo(text, "red", err=True)


def echo(text: str, colour: str, err: bool = False) -> None:
    """Prints in a colour; in none if NO_COLOR is set (no-color.org) or the output is no terminal."""
    typer.secho(neutral(text), fg=None if os.environ.get("NO_COLOR") else colour, err=err)


def table_width() -> int:
    """Columns for a table: `COLUMNS` if set, else those of the terminal, also behind a pipe; 100 without a terminal."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    for stream in (sys.stdout, sys.stderr, sys.stdin):
        try:
            return os.get_terminal_size(stream.fileno()).columns or NO_TERMINAL
        except (AttributeError, OSError, ValueError):  # none, no terminal, closed
            continue
    return NO_TERMINAL


def width() -> int | None:
    """Columns of the terminal for prose; None if the output goes elsewhere, which keeps its lines."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def show(text: object) -> None:
    """Prints a result to standard output. What a terminal would obey in it is made visible, as in all that commands print."""
    typer.echo(neutral(str(text)))


def say(text: str) -> None:
    """Prints to standard error what is no result."""
    typer.echo(neutral(text), err=True)


def main() -> None:
    """The `kdbench` command. Errors for the user to fix are shown without a traceback, exit code 2."""
    warnings.showwarning = _show_warning
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that is no UTF-8, or a terminal that knows few letters
            stream.reconfigure(errors="backslashreplace")
    try:
        os.getcwd()
    except FileNotFoundError:
        complain("the working folder: found that it was removed; expected one that is there. Change into another")
        sys.exit(2)
    try:
        with collected():  # other libraries' warnings become kdbench's
            app()
    except KdbenchError as error:
        complain(str(error))
        sys.exit(2)
    except OSError as error:
        from kdbench.storage.room import told

        if not (reason := told(error)):
            _end_as_a_bug()
        complain(reason)
        sys.exit(2)
    except Exception as error:
        name = str(error).partition(LOOP)[2].strip("' ")
        if not (isinstance(error, RuntimeError) and name):
            _end_as_a_bug()
        complain(f"{name}: found a symbolic link that leads to itself; expected a file or a folder")
        sys.exit(2)


def _end_as_a_bug() -> NoReturn:
    """Shows the traceback of what is being handled, whose message may hold anything."""
    say(traceback.format_exc().rstrip("\n"))
    sys.exit(1)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, KdbenchWarning):
        say(f"warning: {message}")
