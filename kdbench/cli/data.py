"""Commands over datasets: whether they are complete and intact, and decoding or computing them once for all runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from kdbench.cli.common import HELP, MODELS, CacheRoot, app, cache_root, complain, given_params, plugins_here, say, show
from kdbench.cli.completion import names_of
from kdbench.errors import KdbenchError, PluginError, quoted
from kdbench.storage.room import amount

data_app = typer.Typer(
    no_args_is_help=True, context_settings=HELP, help="Check a dataset; decode or compute it once for all runs."
)
app.add_typer(data_app, name="data", rich_help_panel=MODELS)

Name = Annotated[str, typer.Argument(help="Name of a dataset.", autocompletion=names_of("dataset"))]
Params = Annotated[list[str] | None, typer.Argument(metavar="[PARAMETER=VALUE]...", help="Its parameters, such as size=224.")]
Root = Annotated[Path | None, typer.Option("--root", help="Its folder.", show_default="its environment variable")]
Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help="Number of images decoded at once.", show_default="cores")
]


@data_app.command("check")
def data_check(
    name: Name,
    params: Params = None,
    root: Root = None,
    jobs: Jobs = None,
    quarantine: Annotated[
        Path | None, typer.Option("--quarantine", help="Add items that cannot be used to this list, which a suite can name.")
    ] = None,
) -> None:
    """Count a dataset's items, read every one and list every problem; exit code 1 if there is one."""
    from tabulate import tabulate

    from kdbench.data.full_check import check_all
    from kdbench.data.prepare import write_quarantine

    listed = given_params(params, name).get("quarantine")
    with _Shown() as shown:
        report = check_all(
            lambda path: _opened(name, params, root, path),
            Path(str(listed)) if listed else None,
            shown.advance,
            jobs,
            _task(name).check_data,
        )
    rows = [{"split": split, **asdict(counts)} for split, counts in report.counts.items()]
    if rows:
        show(tabulate(rows, headers="keys", intfmt=","))
    notes = [
        *report.notes,
        *report.differences,
        *(f"{one} and {other} are the same picture, in two splits" for one, other in report.duplicates),
    ]
    for note in notes:
        say(f"note: {note}")
    for problem in report.problems:
        complain(problem.error if problem.source in problem.error else f"{problem.source}: {problem.error}")
    if report.digest:
        show(f"\ndigest {report.digest}")
    if not report.problems:
        return
    count = len(report.problems)
    complain(f"\n{count:,} item{'s' if count > 1 else ''} cannot be used")
    if report.rest:
        complain(f"without them: {report.rest}")
    if quarantine:
        added = write_quarantine(quarantine, report.problems)
        say(f"{added} added to {quarantine}; with `quarantine: {quarantine}` a suite leaves them out")
    raise typer.Exit(1)


@data_app.command("prepare")
def data_prepare(name: Name, params: Params = None, root: Root = None, jobs: Jobs = None, cache: CacheRoot = None) -> None:
    """Decode a dataset's images, or compute its fields, once, into the cache that all runs share. Resumes if it was stopped."""
    from kdbench.storage.cache import Cache

    with _Shown() as shown:
        entry, digest = _task(name).store(_opened(name, params, root), Cache(cache_root(cache)), shown.advance, jobs)
    show(f"{entry.folder}  {amount(entry.bytes)}, digest {digest}")


def _task(dataset: str) -> Any:
    """The task of a dataset, at its default settings."""
    from kdbench.plugins.parameters import construct

    loaded = plugins_here()
    return construct(loaded.find("task", loaded.find("dataset", dataset).offer.task).offer, {})


def _opened(name: str, params: list[str] | None, root: Path | None, quarantine: Path | None = None) -> Any:
    """The dataset, with another list of items to leave out if one is given. Raises KdbenchError if its indices are wrong."""
    from kdbench.plugins.building import build_spec, building_with
    from kdbench.suite.plugin_entries import plug

    given = given_params(params, name)
    if root is not None:
        given["root"] = str(root)
    if quarantine is not None:
        given["quarantine"] = str(quarantine)
    loaded = plugins_here()
    spec = plug("dataset", {**given, "use": name}, name, loaded)
    with building_with(loaded):
        try:
            dataset = build_spec("dataset", spec)
            problems = _task(name).data_problems(dataset)
            wrong = [f"{name}: {where}: found {found}; expected {text}" for where, found, text in problems]
        except KdbenchError:  # UnusableItems, too: check_all lists them
            raise
        except Exception as error:  # any exception of the plugin
            raise PluginError(f"the dataset {name} {quoted(error)}") from error
    if wrong:
        raise KdbenchError("\n".join(wrong))
    return dataset


class _Shown:
    """Shows a bar for each stage that a dataset reports."""

    def __enter__(self) -> _Shown:
        from rich.progress import Progress, TaskID

        from kdbench.cli.bars import Terminal

        self.progress = Progress(console=Terminal(), transient=True)
        self.bars: dict[str, TaskID] = {}
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def advance(self, stage: str, done: int, total: int) -> None:
        if stage not in self.bars:
            self.bars[stage] = self.progress.add_task(stage, total=total)
        self.progress.update(self.bars[stage], completed=done, total=total)
