"""The picture of the flow: from a suite and a dataset to a record, and from records to a report."""

from __future__ import annotations

Box = tuple[str, str, int, int, str]  # title, what it is, column, row, kind
WIDTH, HEIGHT = 960, 430
SIZE = (150, 58)
COLUMNS, TOP, ROW = 190, 70, 110

BOXES: tuple[Box, ...] = (
    ("suite", "YAML, checked", 0, 0, "file"),
    ("runs", "one per cell and seed", 1, 0, "step"),
    ("dataset", "decoded once", 0, 1, "file"),
    ("teachers", "frozen, encoded once", 1, 1, "step"),
    ("cache", "by content, verified", 0, 2, "file"),
    ("student", "same initial weights", 1, 2, "step"),
    ("training", "objective + strategy", 2, 1, "step"),
    ("checkpoint", "resume, bit by bit", 2, 2, "file"),
    ("evaluation", "test split, once", 3, 1, "step"),
    ("record", "spec, metrics, arrays", 3, 0, "file"),
    ("profile", "cost of the student", 3, 2, "step"),
    ("statistics", "intervals, tests", 4, 0, "step"),
    ("report", "table, site, figures", 4, 1, "file"),
)
ARROWS = (
    ("suite", "runs"),
    ("runs", "training"),
    ("dataset", "teachers"),
    ("dataset", "cache"),
    ("teachers", "cache"),
    ("teachers", "training"),
    ("student", "training"),
    ("training", "checkpoint"),
    ("checkpoint", "training"),
    ("training", "evaluation"),
    ("evaluation", "record"),
    ("evaluation", "profile"),
    ("record", "statistics"),
    ("statistics", "report"),
    ("profile", "report"),
)


def svg() -> str:
    """The picture; colours tell what is a file and what is a step."""
    places = {title: (100 + column * COLUMNS, TOP + row * ROW) for title, _, column, row, _ in BOXES}
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="A suite is laid out as '
        'runs; teachers encode the dataset once; training, evaluation and statistics lead to records and a report">'
    )
    style = (
        "<style>text{font:12px system-ui,sans-serif;text-anchor:middle;fill:#263238}.t{font-weight:600;font-size:15px}"
        ".file{fill:#fff8e1;stroke:#ff8f00}.step{fill:#e8eaf6;stroke:#3f51b5}path{fill:none;stroke:#546e7a;stroke-width:1.4}"
        ".k{text-anchor:start}</style>"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse">'
        '<polygon points="0,0 8,4 0,8" fill="#546e7a"/></marker></defs><rect width="100%" height="100%" fill="#fff"/>'
    )
    parts = [head, style]
    for start, end in ARROWS:
        if (end, start) in ARROWS and start > end:
            continue  # one line with two tips
        parts.append(_arrow(places[start], places[end], both=(end, start) in ARROWS))
    for title, text, _, _, kind in BOXES:
        x, y = places[title]
        width, height = SIZE
        parts.append(
            f'<rect class="{kind}" x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width}" height="{height}" rx="8"/>'
            f'<text class="t" x="{x}" y="{y - 3}">{title}</text><text x="{x}" y="{y + 16}">{text}</text>'
        )
    y = HEIGHT - 40
    parts.append(
        f'<rect class="file" x="25" y="{y - 12}" width="20" height="16" rx="3"/>'
        f'<text class="k" x="52" y="{y}">kept on disk</text>'
        f'<rect class="step" x="160" y="{y - 12}" width="20" height="16" rx="3"/>'
        f'<text class="k" x="187" y="{y}">computed</text>'
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _arrow(start: tuple[int, int], end: tuple[int, int], both: bool) -> str:
    """From side to side, or between top and bottom in one column."""
    x1, y1, x2, y2 = map(float, (*start, *end))
    width, height = SIZE[0] / 2, SIZE[1] / 2
    if x1 == x2:
        y1, y2 = (y1 + height, y2 - height) if y2 > y1 else (y1 - height, y2 + height)
        path = f"M{x1:g},{y1:g} L{x2:g},{y2:g}"
    elif x1 > x2:
        path = f"M{x1 - width + 25:g},{y1 + height:g} L{x2 + width - 25:g},{y2 - height:g}"
    else:
        x1, x2 = x1 + width, x2 - width
        path = f"M{x1:g},{y1:g} C{x1 + 30:g},{y1:g} {x2 - 30:g},{y2:g} {x2:g},{y2:g}"
    tips = 'marker-end="url(#tip)"' + (' marker-start="url(#tip)"' if both else "")
    return f'<path d="{path}" {tips}/>'
