"""The picture of kdbench's packages and their imports, made from the code by grimp and the layers in pyproject.toml.

Raises ValueError where two packages import each other, directly or by way of others.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

Imports = Mapping[str, set[str]]
WIDTH, ROW, BOX, MARGIN = 860, 64, (118, 34), 40


def packages() -> dict[str, set[str]]:
    """Every top-level package of kdbench, and those that it imports."""
    graph = grimp.build_graph("kdbench", cache_dir=None)
    found: dict[str, set[str]] = {child.rpartition(".")[2]: set() for child in graph.find_children("kdbench")}
    for module in graph.modules:
        top = _top(module)
        for other in graph.find_modules_directly_imported_by(module):
            if top and (target := _top(other)) and target != top:
                found[top].add(target)
    return {name: imported for name, imported in sorted(found.items()) if name != "__main__"}


def check_no_circle(imports: Imports) -> None:
    """Raises ValueError that names the packages of a circle."""
    try:
        list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        raise ValueError(f"packages import each other in a circle: {' → '.join(error.args[1])}") from error


def layers(pyproject: Path) -> list[list[str]]:
    """The layers that import-linter enforces, from the top."""
    settings = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]
    contract = next(one for one in settings["contracts"] if one["type"] == "layers")
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def reduced(imports: Imports) -> dict[str, set[str]]:
    """The imports that no longer way implies (the transitive reduction)."""

    def below(name: str) -> set[str]:
        return set(imports[name]).union(*(below(other) for other in imports[name]))

    under = {name: below(name) for name in imports}
    return {name: {one for one in its if not any(one in under[other] for other in its)} for name, its in imports.items()}


def svg(imports: Imports, rows: list[list[str]]) -> str:
    """Packages as boxes, a layer a row; an arrow for each import between packages, pale where a longer way implies it."""
    check_no_circle(imports)
    missing = set(imports) - {name for row in rows for name in row}
    if missing:
        raise ValueError(f"no layer holds {', '.join(sorted(missing))}")
    height = 2 * MARGIN + ROW * (len(rows) - 1) + BOX[1]
    places: dict[str, tuple[float, float]] = {}
    for depth, row in enumerate(rows):
        shift = 90 if depth % 2 else -90  # so that an arrow between distant rows does not hide behind the boxes in between
        for index, name in enumerate(row):
            x = WIDTH / 2 + (index - (len(row) - 1) / 2) * 240 + (shift if len(row) == 1 else 0)
            places[name] = x, MARGIN + BOX[1] / 2 + depth * ROW
    needed = reduced(imports)
    # By name within each kind: sets have another order in every process.
    pairs = sorted((other in needed[name], name, other) for name in imports for other in imports[name])
    arrows = [_arrow(places[name], places[other], other in needed[name]) for _, name, other in pairs]
    boxes = [_box(name, *place) for name, place in places.items() if name in imports]
    style = (
        "<style>text{font:13px system-ui,sans-serif;text-anchor:middle;dominant-baseline:central;fill:#1a237e}"
        "rect{fill:#e8eaf6;stroke:#3f51b5}path{fill:none;stroke:#3f51b5}.implied{stroke-opacity:.13}</style>"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        '<polygon points="0,0 8,4 0,8" fill="#5c6bc0"/></marker></defs>'
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{_caption(imports)}">'
    )
    return "\n".join([head, style, *arrows, *boxes, "</svg>"]) + "\n"


def _top(module: str) -> str:
    return module.split(".")[1] if module.startswith("kdbench.") else ""


def _caption(imports: Imports) -> str:
    return f"{len(imports)} packages of kdbench and {sum(map(len, imports.values()))} imports between them, all pointing down"


def _box(name: str, x: float, y: float) -> str:
    width, height = BOX
    return (
        f'<rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width}" height="{height}" rx="6"/>'
        f'<text x="{x:g}" y="{y:g}">{name}</text>'
    )


def _arrow(start: tuple[float, float], end: tuple[float, float], needed: bool) -> str:
    (x1, y1), (x2, y2) = start, end
    y1, y2 = y1 + BOX[1] / 2, y2 - BOX[1] / 2
    rows = max(1.0, (end[1] - start[1]) / ROW)
    side = 1 if x1 + x2 >= WIDTH else -1
    bend = side * min(300.0, 28 * (rows - 1))  # the further apart, the further out
    middle = (y1 + y2) / 2
    path = f"M{x1:g},{y1:g} C{x1 + bend:g},{middle:g} {x2 + bend:g},{middle:g} {x2:g},{y2:g}"
    return f'<path d="{path}" marker-end="url(#tip)"/>' if needed else f'<path class="implied" d="{path}"/>'
