"""The map of when weighting matters: strategies × regimes, gains over equal weights."""

from __future__ import annotations

from collections.abc import Sequence

from kdbench.errors import counted
from kdbench.reports.palette import Role
from kdbench.reports.plots.labels import clean, file_part
from kdbench.reports.plots.model import Axis, Mark, Panel, Plot, Points, line_of
from kdbench.reports.regimes.gains import Finding, Gain, Regime
from kdbench.reports.verdict import BASELINE, ORACLE

QUESTION = "When does it matter how teachers are weighted?"
SERIES: tuple[tuple[Finding, str, Role], ...] = (
    ("better", f"significantly better than {BASELINE}", "gain"),
    ("worse", "significantly worse", "loss"),
    ("equivalent", "equivalent", "same"),
    ("undecided", "undecided", "open"),
    ("untested", "not tested yet", "open"),
)


def regime_map(found: Sequence[Regime]) -> Plot:
    """A panel for each regime, the same rows in all, those that gain most on average at the top."""
    labels = _labels(found)
    metric, suite = found[0].headline, found[0].table.rows[0].spec.suite
    return Plot(
        stem="-".join(["regimes", file_part(suite), found[0].table.protocol.replace(regime="").id]),
        title=f"{suite}: gain over {BASELINE}",
        question=QUESTION,
        alt=_describe(found),
        panels=tuple(_panel(one, labels, _ends(found)) for one in found),
        data=_plotted(found),
        about=(
            f"Gain over {BASELINE} in {metric.label}, on {clean(found[0].table.dataset)} with {clean(found[0].table.student)}.",
            "95 % interval of each pair; significance is corrected for all pairs and looks.",
            *([f"{ORACLE}: weights set by somebody who knows the teachers."] if ORACLE in labels else []),
        ),
    )


def _labels(found: Sequence[Regime]) -> list[str]:
    gains: dict[str, list[float]] = {}
    for one in found:
        for gain in one.gains:
            gains.setdefault(gain.label, []).append(gain.mean)
    return sorted(gains, key=lambda label: -sum(gains[label]) / len(gains[label]))


def _ends(found: Sequence[Regime]) -> tuple[float, float]:
    """Of the axis of gains, the same in all panels: all intervals, with a little room."""
    gains = [gain for one in found for gain in one.gains]
    low, high = min(gain.low for gain in gains), max(gain.high for gain in gains)
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def _panel(one: Regime, labels: Sequence[str], ends: tuple[float, float]) -> Panel:
    metric = one.headline
    return Panel(
        title=one.name,
        x=Axis(f"gain in {metric.label}", low=ends[0], high=ends[1]),
        y=Axis(names=tuple(labels), flipped=True),
        values="x",
        points=tuple(
            Points(label, role, tuple(_mark(gain, labels, one) for gain in one.gains if gain.found == finding))
            for finding, label, role in SERIES
        ),
        zero=True,
    )


def _mark(gain: Gain, labels: Sequence[str], one: Regime) -> Mark:
    text = one.headline.text
    hover = (
        gain.row.name,
        f"{text(gain.mean)} ({text(gain.low)} to {text(gain.high)}), {gain.found}",
        counted(len(gain.row.runs), "run"),
    )
    return Mark(gain.mean, float(labels.index(gain.label)), gain.low, gain.high, hover)


def _plotted(found: Sequence[Regime]) -> str:
    lines = []
    for one in found:
        lines.append(f"regime {one.table.id} {clean(one.name)}")
        lines += [
            line_of(f"{gain.row.id} {clean(gain.label)}", mean=gain.mean, low=gain.low, high=gain.high, found=gain.found)
            for gain in one.gains
        ]
    return "\n".join(lines)


def _describe(found: Sequence[Regime]) -> str:
    counts = {finding: sum(gain.found == finding for one in found for gain in one.gains) for finding, _, _ in SERIES}
    told = ", ".join(f"{count} {finding}" for finding, count in counts.items())
    return f"Gains over {BASELINE} of {counted(len(_labels(found)), 'row')} in {counted(len(found), 'regime')}: {told}."
