"""One paragraph of advice from the regimes, and the evidence for it: generated, so that it claims no more than was found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from kdbench.errors import counted
from kdbench.reports.regimes.gains import Finding, Gain, Regime
from kdbench.reports.verdict import BASELINE, listed

VERBS: dict[Finding, str] = {
    "better": "is significantly better in",
    "worse": "is significantly worse in",
    "equivalent": "is equivalent in",
    "undecided": "is undecided in",
}


def advice(found: Sequence[Regime], about: Sequence[str] = ()) -> str:
    """A paragraph: when weighting matters, what to use, where the strategies `about` stand, and on how many runs this rests.

    `found` is one of `maps`. Empty without regimes.
    """
    tested = [one for one in found if one.tested]
    if not tested:
        return "No regime is tested yet: their race has not reached its first look." if found else ""
    found = tested
    stand = [sentence for label in about for sentence in _of(found, label)]
    smoke = ["SMOKE, not publishable:"] if any(one.table.smoke for one in found) else []
    return " ".join([*smoke, *_when(found), *_which(found), *stand, *_alone(found), _evidence(found)])


def _when(found: Sequence[Regime]) -> list[str]:
    """Where some strategy is better than equal weights, and where none is."""
    gained = {one.name: [gain.label for gain in one.usable if gain.found == "better"] for one in found}
    some = [name for name, labels in gained.items() if labels]
    none = [name for name, labels in gained.items() if not labels]
    if not some:
        where = f"In none of {len(found)} regimes is a strategy" if len(found) > 1 else f"In {_quoted(none)} no strategy is"
        return [f"{where} significantly better than {BASELINE}."]
    said = [f"Weighting matters in {len(some)} of {counted(len(found), 'regime')}: {_quoted(some)}."]
    return [
        *said,
        *([f"In the others ({_quoted(none)}) no strategy is significantly better than {BASELINE}."] if none else []),
    ]


def _which(found: Sequence[Regime]) -> list[str]:
    """The strategy that is better in most regimes and worse in none; ties go to the larger gain."""
    findings = _by_label(found)
    if not any(_count(gains, "better") for gains in findings.values()):
        return []
    safe = {label: gains for label, gains in findings.items() if all(gain.found != "worse" for gain in gains.values())}
    best = max(safe, key=lambda label: (_count(safe[label], "better"), _mean(safe[label])), default="")
    if not best or not _count(safe[best], "better"):
        return [f"Use {BASELINE}: every strategy that is significantly better somewhere is significantly worse elsewhere."]
    where = [name for name, gain in safe[best].items() if gain.found == "better"]
    return [f"Use {best}: it is significantly better than {BASELINE} in {_quoted(where)}, and significantly worse in none."]


def _of(found: Sequence[Regime], label: str) -> list[str]:
    gains = _by_label(found).get(label)
    if not gains:
        return []
    parts = []
    for finding, verb in VERBS.items():
        where = [name for name, gain in gains.items() if gain.found == finding]
        everywhere = len(where) == len(found) > 1
        parts += [f"{verb} {'all of them' if everywhere else _quoted(where)}"] if where else []
    return [f"Against {BASELINE}, {label} {listed(parts)}."]


def _alone(found: Sequence[Regime]) -> list[str]:
    """Where the best single teacher is better than all with equal weights, and where it is as good."""
    said = []
    for finding, than in (("better", "significantly better than"), ("equivalent", "equivalent to")):
        where = [one.name for one in found for gain in one.gains if len(gain.row.team) == 1 and gain.found == finding]
        said += [f"In {_quoted(where)} one teacher alone is {than} all with equal weights."] if where else []
    return said


def _evidence(found: Sequence[Regime]) -> str:
    runs, hours = sum(one.runs for one in found), sum(one.seconds for one in found) / 3600
    finest = {
        metric.label: max(one.resolves(metric) or 0.0 for one in found) for metric in found[0].table.metrics if metric.margin
    }
    told = " or ".join(f"{value:.2g} {label}" for label, value in finest.items() if value)
    where = "in every regime " if len(found) > 1 else ""
    finds = f"; {where}half of the comparisons with {BASELINE} would find a difference of {told} (80 % power)" if told else ""
    running = sum(len(one.table.looks.running) for one in found if one.table.looks)
    goes_on = f" The race goes on in {counted(running, 'row')}." if running else ""
    return f"This rests on {runs} runs, {hours:.1f} hours of one core{finds}.{goes_on}"


def _quoted(names: Sequence[str]) -> str:
    """Names of regimes in a sentence: some have an "and" of their own."""
    return listed([f"“{name}”" for name in names])


def _by_label(found: Sequence[Regime]) -> Mapping[str, dict[str, Gain]]:
    """Gains by strategy and regime."""
    findings: dict[str, dict[str, Gain]] = defaultdict(dict)
    for one in found:
        for gain in one.usable:
            findings[gain.label][one.name] = gain
    return findings


def _count(gains: Mapping[str, Gain], finding: Finding) -> int:
    return sum(gain.found == finding for gain in gains.values())


def _mean(gains: Mapping[str, Gain]) -> float:
    return sum(gain.mean for gain in gains.values()) / len(gains)
