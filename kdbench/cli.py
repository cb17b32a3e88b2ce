"""The command line: thin verbs over the core. Nothing here imports torch, and pydantic only where a suite is read."""

from __future__ import annotations

import json
import os
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kdbench.errors import KdbenchError, KdbenchWarning, nearest

if TYPE_CHECKING:
    from kdbench.plan import RunSpec
    from kdbench.records import Record
    from kdbench.session import Session

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


cache_app = typer.Typer(no_args_is_help=True, help="Decoded images, teacher embeddings and trained weights on disk.")
app.add_typer(cache_app, name="cache")


class Format(StrEnum):
    table = "table"
    markdown = "markdown"
    csv = "csv"
    json = "json"


def _suites(incomplete: str) -> list[str]:
    return [str(path) for path in Path("suites").glob("*.yaml") if str(path).startswith(incomplete)]


def _kinds_and_names(incomplete: str) -> list[str]:
    from kdbench.plugins import KINDS

    loaded = _plugins()
    known = [*KINDS, *(name for kind in KINDS for name in loaded.offers(kind))]
    return [name for name in dict.fromkeys(known) if name.startswith(incomplete)]


def _trackers(incomplete: str) -> list[str]:
    return [name for name in _plugins().offers("tracker") if name.startswith(incomplete)]


Suite = Annotated[Path, typer.Argument(help="A suite file, such as suites/quickstart.yaml.", autocompletion=_suites)]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PATH=VALUE]...", help="Changes to the suite, such as train.lr=1e-3 or 'seeds=[0, 1]'."),
]
Results = Annotated[Path, typer.Option("--results", help="Folder of the records.")]
CacheRoot = Annotated[
    Path | None,
    typer.Option("--cache", envvar="KDBENCH_CACHE", help="Folder of derived data.", show_default="the user's cache folder"),
]


@app.command()
def run(
    suite: Suite,
    overrides: Overrides = None,
    results: Results = Path("results"),
    cache: CacheRoot = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Processes.", show_default="cores; 1 on a GPU")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    track: Annotated[
        list[str] | None,
        typer.Option(
            help="A tracker, such as tensorboard or '{use: wandb, project: mine}'; may be given again.",
            autocompletion=_trackers,
        ),
    ] = None,
) -> None:
    """Run what a suite lays out and is not recorded yet, then show its leaderboard.

    Interrupted or killed, it goes on where it was when started again.
    """
    from kdbench.session import Session

    specs = _plan(suite, overrides)
    session = Session(_plugins(), results.resolve(), _cache_root(cache), _device(device), jobs)
    for tracker in track or []:
        session.track(tracker)
    todo = session.pending(specs)
    if todo:
        _plan(suite, overrides, deep=True)  # better to fail here than after an hour of teachers
        _carry_out(session, specs, todo)
    else:
        _say(f"All {len(specs)} runs are recorded under {results / specs[0].suite}.")
    records = [session.records[spec.run_id] for spec in specs if spec.run_id in session.records]
    _show_board(records, Format.table)
    if any(record.status in ("failed", "diverged") for record in records) or len(records) < len(specs):
        raise typer.Exit(1)


@app.command()
def plan(suite: Suite, overrides: Overrides = None, results: Results = Path("results")) -> None:
    """Show the grid, what is recorded already, and how long the rest will take once one run is known."""
    from tabulate import tabulate

    from kdbench.estimate import estimate
    from kdbench.records import recorded

    specs = _plan(suite, overrides)
    known = {spec.run_id: recorded(results, spec.suite, spec.run_id) for spec in specs}
    rows = []
    for spec in specs:
        record = known[spec.run_id]
        team = " + ".join(teacher["name"] for teacher in spec.team) or "none"
        strategy = spec.strategy["name"] if spec.strategy else "–"
        names = [spec.dataset["name"], spec.student["name"], team, strategy, str(spec.seed)]
        rows.append([spec.run_id, *names, record.status if record else "to do"])
    typer.echo(tabulate(rows, headers=["run", "dataset", "student", "teachers", "strategy", "seed", "status"]))
    typer.echo("\n" + estimate(specs, known))


@app.command()
def check(suite: Suite, overrides: Overrides = None) -> None:
    """Check a suite, as far as can be told without downloading or training anything."""
    specs = _plan(suite, overrides, deep=True)
    typer.echo(f"{suite}: fine, {len(specs)} run{'s' if len(specs) != 1 else ''}")


@app.command()
def plugins(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND|NAME]",
            help="A kind (dataset, teacher, student, objective, strategy, tracker) or the name of a plugin.",
            autocompletion=_kinds_and_names,
        ),
    ] = None,
) -> None:
    """List what is installed and from where; of one plugin: formula, source, parameters with types and defaults."""
    from tabulate import tabulate

    from kdbench.plugins import KINDS

    loaded = _plugins()
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
        _complain(f"\n{provider} failed to load: {error}")


@app.command()
def conform(
    name: Annotated[str, typer.Argument(help="The name of a plugin.", autocompletion=_kinds_and_names)],
    params: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PARAMETER=VALUE]...", help="Parameters in place of the plugin's own example."),
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Which one, where plugins of two kinds share a name.")] = None,
) -> None:
    """Try every property that a plugin of its kind should have; exit code 1 if one fails.

    Teachers are tried on pictures that the kit draws itself, and may train on them.
    """
    from kdbench.overrides import apply_override
    from kdbench.problems import Problems
    from kdbench.testing import conform as examine

    given: dict[str, Any] = {}
    for param in params or []:
        apply_override(given, param, Problems(name, {}))
    failed = False
    found = [(of, listed) for of, listed in _named(name, _plugins()) if kind in (None, of)]
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
    from kdbench.new import write_package

    for path in write_package(kind, name, folder):  # type: ignore[arg-type]
        typer.echo(path)
    _say(f"\nNext: pip install -e {folder / f'kdbench-{name}'} && kdbench conform {name}")


def _described(name: str, loaded: Any) -> str:
    from kdbench.describe import describe

    return "\n\n".join(describe(kind, listed) for kind, listed in _named(name, loaded))


def _named(name: str, loaded: Any) -> list[Any]:
    """Kind and offer of every plugin of that name; a name may be used once in each kind."""
    from kdbench.plugins import KINDS

    found = [(kind, loaded.offers(kind)[name]) for kind in KINDS if name in loaded.offers(kind)]
    if not found:
        known = [*KINDS, *(other for kind in KINDS for other in loaded.offers(kind))]
        raise KdbenchError(f"no plugin and no kind of plugin is called {name!r}; {nearest(name, known)}{loaded.broken_note()}")
    return found


@app.command()
def leaderboard(
    results: Annotated[
        list[Path] | None, typer.Argument(help="Records or folders of records.", show_default="results/")
    ] = None,
    style: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.table,
) -> None:
    """Make the leaderboard from records: mean ± standard deviation over n seeds."""
    from kdbench.errors import RecordError
    from kdbench.records import find_records, read_record

    records = []
    for path in find_records(results or [Path("results")]):
        try:
            records.append(read_record(path))
        except RecordError as error:
            _complain(f"left out: {error}")
    _show_board(records, style)


@app.command()
def inspect(
    run: Annotated[str, typer.Argument(help="A run: its id, the beginning of one, or the path of its record.")],
    png: Annotated[Path | None, typer.Option("--png", help="Draw it into this file as well.")] = None,
    results: Results = Path("results"),
) -> None:
    """Show what a strategy did in one run: weights, losses, whether the teachers' gradients agree."""
    from kdbench.inspection import draw, find_run, terminal

    record = find_run(run, results)
    typer.echo(terminal(record))
    if png:
        draw(record, png)
        _say(f"Drawn into {png}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of suite files, for editors.

    With `# yaml-language-server: $schema=suite.schema.json` on a suite's first line, an editor completes and checks it.
    """
    from kdbench.schema import json_schema

    typer.echo(json.dumps(json_schema(_plugins()), indent=1, ensure_ascii=False))


@cache_app.command("list")
def cache_list(cache: CacheRoot = None) -> None:
    """Show every entry: what it is, its size, what making it took."""
    from tabulate import tabulate

    from kdbench.cache import Cache
    from kdbench.errors import CacheError

    rows = []
    for entry in Cache(_cache_root(cache)).entries():
        if isinstance(entry, CacheError):
            _complain(f"damaged: {entry}")
            continue
        about = ", ".join(f"{key} {str(value)[:12]}" for key, value in entry.identity.items() if key != "format")
        rows.append([entry.kind, entry.folder.name[:12], f"{entry.bytes / 1e6:.1f} MB", f"{entry.seconds:.1f} s", about])
    align = ("left", "left", "right", "right", "left") if rows else None
    typer.echo(tabulate(rows, headers=["kind", "entry", "size", "made in", "from"], colalign=align))


@cache_app.command("verify")
def cache_verify(cache: CacheRoot = None) -> None:
    """Check every entry against its checksums; exit code 1 if one is damaged."""
    from kdbench.cache import Cache
    from kdbench.errors import CacheError

    good, bad = 0, 0
    for entry in Cache(_cache_root(cache)).entries():
        try:
            if isinstance(entry, CacheError):
                raise entry
            entry.verify()
            good += 1
        except CacheError as error:
            bad += 1
            _complain(f"damaged: {error}")
    typer.echo(f"entries intact: {good}, damaged: {bad}" + ("; a damaged one is made again when it is needed" if bad else ""))
    if bad:
        raise typer.Exit(1)


@cache_app.command("clear")
def cache_clear(cache: CacheRoot = None, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Remove everything in the cache, trained weights and the checkpoints of unfinished runs too. Records stay."""
    from kdbench.cache import Cache

    root = _cache_root(cache)
    if not yes:
        typer.confirm(f"Remove everything under {root}?", abort=True)
    typer.echo(f"{Cache(root).clear() / 1e6:.1f} MB freed")


def main() -> None:
    """The `kdbench` command. Errors that are the user's to mend come without a traceback and exit with 2."""
    warnings.showwarning = _show_warning
    try:
        app()
    except KdbenchError as error:
        _complain(str(error))
        sys.exit(2)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, KdbenchWarning):
        _say(f"warning: {message}")


def _plugins() -> Any:
    from kdbench.plugins import installed

    return installed()


def _cache_root(cache: Path | None) -> Path:
    from kdbench.cache import default_root

    return (cache or default_root()).resolve()


def _device(device: str) -> str:
    if device in ("auto", "cpu", "cuda", "mps") or (device.startswith("cuda:") and device[5:].isdecimal()):
        return device
    raise KdbenchError(f"--device: found {device!r}, expected auto, cpu, cuda, cuda:N or mps")


def _plan(suite: Path, overrides: list[str] | None, deep: bool = False) -> list[RunSpec]:
    from kdbench.check import load_suite
    from kdbench.plan import plan as lay_out

    return lay_out(load_suite(suite, _plugins(), overrides, deep))


def _carry_out(session: Session, specs: list[RunSpec], todo: list[RunSpec]) -> None:
    from rich.console import Console

    from kdbench.progress import ProgressDisplay

    if len(todo) < len(specs):
        _say(f"{len(specs) - len(todo)} of {len(specs)} runs are recorded; {len(todo)} to do.")
    display = ProgressDisplay(Console(stderr=True), len(todo))
    session.plugins.register(display, "kdbench:progress")
    try:
        with display:
            session.carry_out(todo)
    except KeyboardInterrupt:
        _say("\nInterrupted. Finished runs are recorded and the others have checkpoints: the same command goes on from there.")
        raise typer.Exit(130) from None
    finally:
        session.plugins.manager.unregister(display)
    for spec in todo:
        if session.logs.get(spec.run_id):
            _say(f"\n--- {spec.label} printed:\n{session.logs[spec.run_id]}")


def _show_board(records: list[Record], style: Format) -> None:
    from kdbench.leaderboard import build, render

    board = build(records)
    typer.echo(("\n" if style is Format.table else "") + render(board, style.value))
    if style is Format.csv:  # which has no place for them
        for note in board.notes:
            _say(note)


def _complain(text: str) -> None:
    typer.secho(text, fg="red", err=True)


def _say(text: str) -> None:
    typer.echo(text, err=True)
