"""What all commands share: the application, common arguments, how they speak and fail."""

from __future__ import annotations

import os
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from kdbench.errors import KdbenchError, KdbenchWarning

# Before torch is ever imported, here or in a worker: threads that wait must not spin on shared cores.
os.environ.setdefault("GOMP_SPINCOUNT", "0")

app = typer.Typer(
    name="kdbench",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Compare ways of weighting several teachers that distil into one small vision-language student.\n\n"
    "Start with [bold]kdbench run suites/quickstart.yaml[/bold]. Exit codes: 0 done, 1 some run failed, "
    "2 the suite or a plugin is wrong.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from kdbench import __version__

        typer.echo(f"kdbench {__version__}")
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


def suite_files(incomplete: str) -> list[str]:
    return [str(path) for path in Path("suites").glob("*.yaml") if str(path).startswith(incomplete)]


def kinds_and_names(incomplete: str) -> list[str]:
    from kdbench.plugins.loading import KINDS

    loaded = plugins_here()
    known = [*KINDS, *(name for kind in KINDS for name in loaded.offers(kind))]
    return [name for name in dict.fromkeys(known) if name.startswith(incomplete)]


def dataset_names(incomplete: str) -> list[str]:
    return [name for name in plugins_here().offers("dataset") if name.startswith(incomplete)]


def tracker_names(incomplete: str) -> list[str]:
    return [name for name in plugins_here().offers("tracker") if name.startswith(incomplete)]


Suite = Annotated[Path, typer.Argument(help="A suite file, such as suites/quickstart.yaml.", autocompletion=suite_files)]
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
    from kdbench.suite.diagnostics import Problems
    from kdbench.suite.overrides import apply_override

    given: dict[str, Any] = {}
    for param in params or []:
        apply_override(given, param, Problems(source, {}))
    return given


def plugins_here() -> Any:
    from kdbench.plugins.loading import installed

    return installed()


def cache_root(cache: Path | None) -> Path:
    from kdbench.storage.cache import default_root

    return (cache or default_root()).resolve()


def checked_device(device: str) -> str:
    if device in ("auto", "cpu", "cuda", "mps") or (device.startswith("cuda:") and device[5:].isdecimal()):
        return device
    raise KdbenchError(f"--device: found {device!r}, expected auto, cpu, cuda, cuda:N or mps")


def complain(text: str) -> None:
    typer.secho(text, fg="red", err=True)


def say(text: str) -> None:
    typer.echo(text, err=True)


def main() -> None:
    """The `kdbench` command. Errors that are the user's to mend come without a traceback and exit with 2."""
    warnings.showwarning = _show_warning
    try:
        app()
    except KdbenchError as error:
        complain(str(error))
        sys.exit(2)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, KdbenchWarning):
        say(f"warning: {message}")
