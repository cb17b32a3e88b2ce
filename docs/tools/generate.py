"""Writes, or checks, everything in the documentation that is generated.

    python -m docs.tools.generate --write [PATH…]
    python -m docs.tools.generate --check

With paths only those files. Exits with 1 and names the files that are not current.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import get_args

from docs.tools import (
    errors_lowered,
    faults,
    flow_picture,
    limits,
    package_graph,
    picture_blocks,
    regime_blocks,
    result_blocks,
    system_blocks,
    system_results,
    systems_summary,
)
from docs.tools.blocks import filled, names
from docs.tools.method_pages import methods, overview
from docs.tools.result_blocks import ROOT
from docs.tools.suite_reference import suite_reference
from kdbench.plugins.loading import Kind, installed


def _of_kind(make: Callable[..., str], kind: str) -> str:
    assert kind in get_args(Kind)
    return make(kind, installed())


MAKERS: dict[str, Callable[[str], str]] = {
    "leaderboard": result_blocks.full_leaderboard,
    "short_leaderboard": result_blocks.short_leaderboard,
    "verdicts": result_blocks.verdicts,
    "regimes_advice": regime_blocks.regimes_advice,
    "regimes_resolution": regime_blocks.regimes_resolution,
    "limits": lambda _: limits.limits(),
    "faults": lambda _: faults.faults(),
    "system_result": system_results.system_result,
    "errors_lowered": errors_lowered.errors_lowered,
    "systems_summary": lambda _: systems_summary.systems_summary(),
    "systems": lambda _: system_blocks.systems(installed()),
    "every_method": lambda _: system_blocks.every_method(installed()),
    "results_index": lambda _: result_blocks.index(),
    "overview": partial(_of_kind, overview),
    "methods": partial(_of_kind, methods),
    "suite_reference": lambda _: suite_reference(installed()),
}
PAGES = (
    "README.md",
    "results/README.md",
    "docs/results.md",
    "docs/systems-results.md",
    "docs/forecasting.md",
    "docs/benchmarks.md",
    "docs/robustness.md",
    "docs/reference/suite.md",
    "docs/methods/systems.md",
    "docs/methods/strategies.md",
    "docs/methods/objectives.md",
    "docs/methods/others.md",
)


def page(path: str) -> str:
    """A page with its generated blocks made again."""
    pictures = {block: partial(picture_blocks.shown, block, page=path) for block in picture_blocks.PICTURES}
    return filled((ROOT / path).read_text(encoding="utf-8"), MAKERS | pictures)


def pictures() -> set[tuple[str, str]]:
    """Block and folder of every picture that a page shows."""
    used = {block for path in PAGES for block in names((ROOT / path).read_text(encoding="utf-8"))}
    return {block for block in used if block[0] in picture_blocks.PICTURES}


def packages() -> str:
    """The picture of packages, from the code as it is. Raises ValueError where they import each other in a circle."""
    ignored = ("__main__",)
    imports = {name: found for name, found in package_graph.packages().items() if name not in ignored}
    return package_graph.svg(imports, package_graph.layers(ROOT / "pyproject.toml"))


FILES: dict[str, Callable[[], str]] = {
    **{path: partial(page, path) for path in PAGES},
    "docs/images/flow.svg": flow_picture.svg,
    "docs/images/packages.svg": packages,
}


def stale(paths: list[str] | None = None) -> list[str]:
    """Files that are not what they would be if they were generated now."""
    wanted = paths or list(FILES)
    return [path for path in wanted if not _exists(path) or (ROOT / path).read_text(encoding="utf-8") != FILES[path]()]


def _exists(path: str) -> bool:
    return (ROOT / path).is_file()


def main(arguments: list[str]) -> int:
    """The exit code."""
    mode, *paths = arguments or ["--check"]
    if mode == "--check":
        found = stale(paths)
        for path in found:
            print(f"{path} is not current; run `make readme`", file=sys.stderr)
        return 1 if found else 0
    if mode != "--write":
        print(__doc__, file=sys.stderr)
        return 2
    for path in paths or FILES:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(FILES[path](), encoding="utf-8")
    if not paths:
        for block in sorted(pictures()):
            picture_blocks.write(*block)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
