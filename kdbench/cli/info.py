"""`kdbench info`: what a bug report should hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdbench.cli.common import PLUGINS, CacheRoot, Results, app, cache_root, complain, plugins_here, show
from kdbench.errors import counted
from kdbench.storage.room import amount


@app.command(rich_help_panel=PLUGINS)
def info(
    results: Results = Path("results"),
    cache: CacheRoot = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the device and the sizes of folders.")] = False,
) -> None:
    """Show versions, device, folders, extras and broken plugins: for a bug report."""
    from kdbench.plugins.extras import extras
    from kdbench.records.provenance import host, source, versions

    lines: list[tuple[str, str]] = [(name, version) for name, version in versions().items()]
    if not quick:
        from kdbench.records.provenance import device_name, resolved_device

        lines.append(("device", device_name(resolved_device("auto"))))
    lines += [(f"host {name}", str(value)) for name, value in host().items()]
    commit = source()
    if commit["commit"]:
        lines.append(("commit", f"{commit['commit']}{' (changed)' if commit['dirty'] else ''}"))
    for name, folder in (("results", results.resolve()), ("cache", cache_root(cache))):
        lines.append((name, f"{_short(folder)}{'' if quick else f', {_size(folder)}'}"))
    for name, missing in extras("kdbench").items():
        lines.append((f"extra {name}", f"missing {', '.join(missing)}" if missing else "installed"))
    wide = max(len(name) for name, _ in lines)
    for name, text in lines:
        show(f"{name:<{wide}}  {text}")
    loaded = plugins_here()
    for provider, error in sorted(loaded.broken.items()):
        complain(f"plugin {provider} failed to load: {error}")


def _short(folder: Path) -> str:
    """Bug reports need no user names."""
    return f"~/{folder.relative_to(Path.home())}" if folder.is_relative_to(Path.home()) else str(folder)


def _size(folder: Path) -> str:
    if not folder.is_dir():
        return "does not exist"
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{amount(sum(sizes))} in {counted(len(sizes), 'file')}"
