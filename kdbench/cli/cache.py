"""Commands over the cache."""

from __future__ import annotations

from typing import Annotated

import typer

from kdbench.cli.common import HELP, MODELS, CacheRoot, app, cache_root, complain

cache_app = typer.Typer(
    no_args_is_help=True,
    context_settings=HELP,
    help="List, check or clear decoded images, teacher outputs and trained weights.",
)
app.add_typer(cache_app, name="cache", rich_help_panel=MODELS)


@cache_app.command("list")
def cache_list(cache: CacheRoot = None) -> None:
    """List every entry: its kind, its size, the seconds it took to make, and from what."""
    from tabulate import tabulate

    from kdbench.errors import CacheError
    from kdbench.storage.cache import Cache

    rows = []
    for entry in Cache(cache_root(cache)).entries():
        if isinstance(entry, CacheError):
            complain(f"damaged: {entry}")
            continue
        about = ", ".join(f"{key} {str(value)[:12]}" for key, value in entry.identity.items() if key != "format")
        rows.append([entry.kind, entry.folder.name[:12], f"{entry.bytes / 1e6:.1f} MB", f"{entry.seconds:.1f} s", about])
    align = ("left", "left", "right", "right", "left") if rows else None
    typer.echo(tabulate(rows, headers=["kind", "entry", "size", "made in", "from"], colalign=align))


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
    typer.echo(f"entries intact: {good}, damaged: {bad}" + ("; damaged entries are made again when needed" if bad else ""))
    if bad:
        raise typer.Exit(1)


@cache_app.command("clear")
def cache_clear(
    cache: CacheRoot = None, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False
) -> None:
    """Remove everything in the cache, including trained weights and checkpoints of unfinished runs. Records stay."""
    from kdbench.storage.cache import Cache

    root = cache_root(cache)
    if not yes:
        typer.confirm(f"Remove everything under {root}?", abort=True)
    typer.echo(f"{Cache(root).clear() / 1e6:.1f} MB freed")
