"""Commands over the cache."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from kdbench.cli.common import HELP, MODELS, CacheRoot, app, cache_root, complain, show, width
from kdbench.errors import KdbenchError, counted, nearest
from kdbench.storage.room import amount

if TYPE_CHECKING:
    from kdbench.storage.cache import Cleared, Entry

DIGEST = re.compile(r"[0-9a-f]{32,}")
UNSAID = {"format", "code"}

cache_app = typer.Typer(
    no_args_is_help=True,
    context_settings=HELP,
    help="List, check or clear decoded images, teacher outputs and trained weights.",
)
app.add_typer(cache_app, name="cache", rich_help_panel=MODELS)


@cache_app.command("list")
def cache_list(cache: CacheRoot = None) -> None:
    """List every entry: its kind, size, the seconds that making it took, the plugins that made it, and from what.

    The last line has the total and the cache's folder.
    """
    from tabulate import tabulate

    from kdbench.errors import CacheError
    from kdbench.storage.cache import Cache

    root, rows, size = cache_root(cache), [], 0
    for entry in Cache(root).entries():
        if isinstance(entry, CacheError):
            complain(f"damaged: {entry}")
            continue
        size += entry.bytes
        by = ", ".join(entry.made_by)
        rows.append([entry.kind, entry.folder.name[:12], amount(entry.bytes), f"{entry.seconds:.1f} s", by, _about(entry)])
    align = ("left", "left", "right", "right", "left", "left") if rows else None
    heads = ["kind", "entry", "size", "made in", "by", "from"]
    if columns := width():  # the last column takes what the others leave
        taken = sum(max(map(len, column)) + 2 for column in list(zip(heads, *rows, strict=True))[:-1])
        rows = [[*row, textwrap.shorten(about, max(columns - taken, 12), placeholder=" …")] for *row, about in rows]
    show(tabulate(rows, headers=heads, colalign=align))
    show(f"\n{counted(len(rows), 'entry')}, {amount(size)}, in {root}; another folder: --cache or KDBENCH_CACHE")


@cache_app.command("verify")
def cache_verify(cache: CacheRoot = None) -> None:
    """Check every entry against its checksums; exit code 1 if one is damaged."""
    from kdbench.errors import CacheError
    from kdbench.storage.cache import Cache

    good, bad = 0, 0
    for entry in Cache(cache_root(cache)).entries():
        try:
            if isinstance(entry, CacheError):
                raise entry
            entry.verify()
            good += 1
        except CacheError as error:
            bad += 1
            complain(f"damaged: {error}")
    show(f"entries intact: {good}, damaged: {bad}" + ("; damaged entries are made again when needed" if bad else ""))
    if bad:
        raise typer.Exit(1)


@cache_app.command("clear")
def cache_clear(
    cache: CacheRoot = None,
    of: Annotated[
        str | None,
        typer.Option(
            "--of",
            metavar="NAME",
            help="Remove only entries that this plugin or package made, such as openclip, or of this kind, such as encodings.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Remove everything in the cache, including trained weights and checkpoints of unfinished runs. Records stay.

    What other commands are using stays, too.
    """
    from kdbench.storage.cache import Cache, Entry

    root = cache_root(cache)
    if of is None:
        if not yes:
            typer.confirm(f"Remove everything under {root}?", abort=True)
        show(_said(Cache(root).clear()))
        return
    entries = [entry for entry in Cache(root).entries() if isinstance(entry, Entry)]
    chosen = [entry for entry in entries if of in _names(entry)]
    if not chosen:
        known = {name for entry in entries for name in _names(entry)}
        raise KdbenchError(f"--of: no entry in {root} is of {of!r}; {nearest(of, known) or 'the cache is empty'}")
    if not yes:
        typer.confirm(f"Remove {counted(len(chosen), 'entry')} of {of} under {root}?", abort=True)
    cleared = Cache(root).remove(chosen)
    show(f"{counted(len(chosen) - cleared.left, 'entry')}, {_said(cleared)}")


def _about(entry: Entry) -> str:
    """What it was made from, in words: without code, and with the beginnings of digests."""
    plain = {key: value for key, value in entry.identity.items() if isinstance(value, str | int | float)}
    return ", ".join(
        f"{key} {DIGEST.sub(lambda found: found[0][:8], str(value))}" for key, value in plain.items() if key not in UNSAID
    )


def _said(cleared: Cleared) -> str:
    left = f"; kept what other commands are using: {counted(cleared.left, 'folder')}" if cleared.left else ""
    return f"{amount(cleared.bytes)} freed{left}"


def _names(entry: Entry) -> set[str]:
    """What `--of` may call an entry by: its kind, and the plugins that made it, with and without their kind, and packages."""
    plugins = {name for made in entry.made_by for name in (made, made.partition(" ")[2])}
    return {entry.kind, *plugins, *(package.partition(" ")[0] for package in entry.made_by.values())}
