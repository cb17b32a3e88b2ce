"""The table of students: what each costs at inference. Timings of two devices do not compare, so each has a table."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import accumulate

from tabulate import tabulate

from kdbench.records.profile import Memory, Profile, Timing
from kdbench.reports.board_text import Format, wrapped

MILLION, GIGA = 10**6, 10**9
DOUBLE_DAGGER = "‡"
NONE = "–"


@dataclass(frozen=True)
class StudentRow:
    """One student. Parameters in millions, FLOPs of one input in 10⁹, sizes in MB (10⁶ bytes), times in milliseconds."""

    student: str
    parameters: dict[str, float]  # of each part, then `total`
    gflops: dict[str, float]  # of each part
    latency: dict[str, Timing]  # by part and batch: `image @1`, `text @32`
    memory: Memory | None
    size_mb: float
    search: Timing | None
    extra: dict[str, float]
    unstable: list[str]  # why timings may not be repeatable


@dataclass(frozen=True)
class StudentsTable:
    """Rows that may be compared: one device of one machine, its threads, one version of torch, the same parts, batches and
    gallery (None if the task does not search one)."""

    device: str
    host: str
    threads: int
    torch: str
    dataset: str
    gallery: int | None
    parts: list[str]
    batches: list[int]
    rows: list[StudentRow]

    @property
    def title(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads != 1 else ''}"
        gallery = f", gallery of {self.gallery:,}" if self.gallery is not None else ""
        return f"Students on {self.device} · {threads} · torch {self.torch} · {self.dataset}{gallery}"

    @property
    def notes(self) -> list[str]:
        """Of the timings marked in the table."""
        return [f"{row.student}: {reason}" for row in self.rows for reason in row.unstable]


def students_table(profiles: Iterable[Profile]) -> list[StudentsTable]:
    """Fewest parameters first; each profile once. Rows of different devices never share a table."""
    groups: dict[str, list[Profile]] = defaultdict(list)
    seen: set[str] = set()
    for profile in profiles:
        if not profile.id or profile.id not in seen:
            seen.add(profile.id)
            groups[_comparable(profile)].append(profile)
    return [_table(group) for _, group in sorted(groups.items())]


def _comparable(profile: Profile) -> str:
    dataset = profile.dataset.get("name", "")
    versions = profile.versions.get("torch", "")
    parts = [[name, sorted(part.latency)] for name, part in profile.parts.items()]
    return json.dumps([profile.device, profile.host.get("id"), profile.threads, versions, dataset, profile.gallery, parts])


def _table(profiles: list[Profile]) -> StudentsTable:
    first = profiles[0]
    cpu = first.host.get("cpu")
    return StudentsTable(
        device=f"{first.device} ({cpu})" if first.device == "cpu" and cpu else first.device,
        host=str(first.host.get("id", "")),
        threads=first.threads,
        torch=first.versions.get("torch", "of unknown version"),
        dataset=first.dataset.get("name", "unknown"),
        gallery=first.gallery,
        parts=list(first.parts),
        batches=sorted({batch for part in first.parts.values() for batch in part.latency}),
        rows=sorted((_row(profile) for profile in profiles), key=lambda row: (row.parameters["total"], row.student)),
    )


def _row(profile: Profile) -> StudentRow:
    parameters = {name: part.parameters for name, part in profile.parts.items()} | {"total": profile.parameters}
    batches = sorted({batch for part in profile.parts.values() for batch in part.latency})
    return StudentRow(
        student=", ".join(profile.names) or "unnamed",
        parameters={name: count / MILLION for name, count in parameters.items()},
        gflops={name: part.flops / GIGA for name, part in profile.parts.items()},
        latency={
            f"{name} @{batch}": part.latency[batch]
            for batch in batches
            for name, part in profile.parts.items()
            if batch in part.latency
        },
        memory=profile.memory,
        size_mb=profile.size_bytes / MILLION,
        search=profile.search,
        extra=profile.extra,
        unstable=profile.reasons,
    )


def render_students(tables: list[StudentsTable], style: Format = "table", width: int | None = None) -> str:
    """Times are medians with their interquartile ranges in brackets; `@32` is a batch of 32.

    Memory is the peak, with that of Python and torch without the student in brackets. Empty without tables. With a `width`, a
    `table` leaves out the last columns that do not fit into that many characters, and names them.
    """
    if style == "json":
        return json.dumps([_plain(table) for table in tables], indent=1, ensure_ascii=False)
    if style == "csv":
        return _csv(tables)
    return "\n\n".join(_text(table, style, width) for table in tables)


def _columns(table: StudentsTable) -> dict[str, Callable[[StudentRow], str]]:
    """Header → cell."""
    columns: dict[str, Callable[[StudentRow], str]] = {"student": lambda row: row.student + _mark(row)}
    columns[f"params (M) {' / '.join([*table.parts, 'total'])}"] = lambda row: " / ".join(map(_show, row.parameters.values()))
    if table.parts:
        columns[f"GFLOPs {' / '.join(table.parts)}"] = lambda row: " / ".join(map(_show, row.gflops.values()))
    for key in dict.fromkeys(key for row in table.rows for key in row.latency):
        columns[f"{key} (ms)"] = lambda row, key=key: _time(row.latency[key])  # type: ignore[misc]
    columns["memory, baseline (MB)"] = lambda row: _memory(row.memory)
    columns["size (MB)"] = lambda row: _show(row.size_mb)
    if any(row.search for row in table.rows):
        columns["search (ms)"] = lambda row: _time(row.search) if row.search else NONE
    for name in sorted({name for row in table.rows for name in row.extra}):
        columns[name] = lambda row, name=name: _show(row.extra[name]) if name in row.extra else NONE  # type: ignore[misc]
    return columns


def _fitting(table: StudentsTable, width: int | None) -> tuple[dict[str, Callable[[StudentRow], str]], list[str]]:
    """The first columns that fit into `width` characters, and the names of the others."""
    columns = _columns(table)
    if width is None:
        return columns, []
    # tabulate leaves two characters between columns.
    widths = [2 + max(len(name), *(len(cell(row)) for row in table.rows)) for name, cell in columns.items()]
    count = max(1, sum(total - 2 <= width for total in accumulate(widths)))
    names = list(columns)
    return {name: columns[name] for name in names[:count]}, names[count:]


def _text(table: StudentsTable, style: Format, width: int | None) -> str:
    markdown = style == "markdown"
    columns, dropped = _fitting(table, None if markdown else width)
    rows = [[cell(row) for cell in columns.values()] for row in table.rows]
    text = tabulate(
        [[cell.replace("|", r"\|") for cell in row] for row in rows] if markdown else rows,
        headers=list(columns),
        tablefmt="github" if markdown else "simple",
        colalign=["left"] + ["right"] * (len(columns) - 1),
        disable_numparse=True,
    )
    notes = [f"- {DOUBLE_DAGGER} unstable: {note}" for note in table.notes]
    notes += [f"- left out to fit: {', '.join(dropped)}; --format json has all"] if dropped else []
    title = f"**{table.title}**" if markdown else wrapped(table.title, style, width)
    return "\n\n".join([title, text, *(["\n".join(wrapped(note, style, width) for note in notes)] if notes else [])])


def _csv(tables: list[StudentsTable]) -> str:
    import pandas as pd  # only here: half a second that the other formats need not pay

    rows: list[dict[str, object]] = []
    for table in tables:
        for row in table.rows:
            flat: dict[str, object] = {name: getattr(table, name) for name in ("device", "host", "threads", "torch")}
            flat |= {"dataset": table.dataset, "gallery": table.gallery, "student": row.student}
            flat |= {f"{name} parameters M": value for name, value in row.parameters.items()}
            flat |= {f"{name} GFLOPs": value for name, value in row.gflops.items()}
            for name, timing in (row.latency | ({"search": row.search} if row.search else {})).items():
                flat |= {f"{name} ms median": timing.median_ms, f"{name} ms IQR": timing.iqr_ms}
            memory = row.memory
            flat |= {"peak MB": memory.peak_mb if memory else None, "baseline MB": memory.baseline_mb if memory else None}
            flat |= {"memory": memory.kind if memory else None, "size MB": row.size_mb, **row.extra}
            rows.append(flat | {"unstable": "; ".join(row.unstable)})
    return str(pd.DataFrame(rows).to_csv(index=False)).rstrip("\n")


def _plain(table: StudentsTable) -> dict[str, object]:
    return json.loads(json.dumps(asdict(table), default=lambda value: value.model_dump()))  # type: ignore[no-any-return]


def _mark(row: StudentRow) -> str:
    return DOUBLE_DAGGER if row.unstable else ""


def _time(timing: Timing) -> str:
    return f"{_show(timing.median_ms)} ({_show(timing.iqr_ms)})"


def _memory(memory: Memory | None) -> str:
    return f"{_show(memory.peak_mb)} ({_show(memory.baseline_mb)})" if memory else NONE


def _show(value: float) -> str:
    """Three significant digits, no exponent: 0.00234, 1.23, 1,234."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    shown = f"{value:#.3g}"
    return shown.rstrip(".") if "e" not in shown else f"{value:.7f}".rstrip("0")
