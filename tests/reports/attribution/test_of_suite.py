"""What teachers are worth, from records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench.errors import RecordError
from kdbench.plugins.loading import Plugins
from kdbench.records.files import read_record, write_record, write_units
from kdbench.records.names import record_path
from kdbench.records.record import Record
from kdbench.reports.attribution import Finding, findings, records_of, to_do
from kdbench.statistics.crossed import estimate
from kdbench.suite.check import load_suite
from kdbench.suite.spec import RunSpec
from kdbench.suite.sub_teams import Teams, teams_for
from kdbench_plugins.attributions.shapley import Shapley
from tests.support.rankings import HEADLINE, finished, units_of
from tests.support.rankings import write as write_run

Make = Callable[..., Record]
IMAGES, CAPTIONS = 24, 48
SIZES = {"images": IMAGES, "captions": CAPTIONS, "concepts": IMAGES}


@pytest.fixture
def teams(suite_file: Callable[..., Path], plugins: Plugins) -> Teams:
    """a and b, two seeds, strategies `equal` and `ammkd`: 2 · (none, a, b, a+b, a+b)."""
    return teams_for(load_suite(suite_file(), plugins))


@pytest.fixture
def finish(record: Make, tmp_path: Path) -> Callable[..., Record]:
    """Records a run of random ranks, the better the more teach."""

    def write(spec: RunSpec, **changes: Any) -> Record:
        rng = np.random.default_rng([spec.seed, len(spec.team), len(spec.label)])
        drawn = (rng.integers(1, 18 - 6 * len(spec.team), size=size, dtype=np.int32) for size in (IMAGES, CAPTIONS))
        if changes.get("status", "ok") != "ok":
            return read_record(write_record(tmp_path, record(spec, metrics={}, **changes)))
        return read_record(
            write_run(tmp_path, finished(spec, *drawn, **{"dataset_digest": "d" * 64, "sizes": SIZES} | changes))
        )

    return write


def read(teams: Teams, results: Path) -> dict[str, Finding]:
    found = findings(teams, records_of(teams.specs, results), results, Shapley())
    return {one.game.strategy: one for one in found}


def label(spec: RunSpec) -> str:
    return spec.label.removeprefix("pebble · ")


def test_figures_are_those_of_the_records(teams: Teams, finish: Callable[..., Record], tmp_path: Path) -> None:
    records = {label(spec): finish(spec).metrics[HEADLINE] for spec in teams.specs}
    found = read(teams, tmp_path)

    def mean(team: str) -> float:
        return (records[f"{team} · seed 0"] + records[f"{team} · seed 1"]) / 2

    assert list(found) == ["equal", "ammkd"]
    for strategy, one in found.items():
        assert one.attribution is not None
        assert (one.missing, one.reason) == ((), "")
        nobody, a, b, both = (mean(team) for team in ("no distillation", "a", "b", f"a+b · {strategy}"))
        worth_a, worth_b = (worth.estimates for worth in one.attribution.worths)
        assert worth_a["leave-one-out"].mean == pytest.approx(both - b)
        assert worth_b["leave-one-out"].mean == pytest.approx(both - a)
        assert worth_a["alone"].mean == pytest.approx(a - nobody)
        assert worth_a["Shapley"].mean == pytest.approx(((a - nobody) + (both - b)) / 2)
        assert one.attribution.total.mean == pytest.approx(both - nobody)
        assert one.attribution.seeds == (0, 1)


def test_nothing_is_recorded(teams: Teams, tmp_path: Path) -> None:
    known = records_of(teams.specs, tmp_path)
    assert to_do(teams.specs, known) == teams.specs
    for one in findings(teams, known, tmp_path, Shapley()):
        assert one.attribution is None
        assert one.reason == "4 of 4 sub-teams have no finished run: no distillation; a; b; a + b"
        assert len(one.missing) == 8


def test_what_is_missing_is_named_and_the_other_strategy_known(
    teams: Teams, finish: Callable[..., Record], tmp_path: Path
) -> None:
    for spec in teams.specs:
        if not spec.strategy or spec.strategy.name == "equal":
            finish(spec)
    found = read(teams, tmp_path)
    assert found["equal"].attribution is not None
    assert found["ammkd"].attribution is None
    assert found["ammkd"].reason == "1 of 4 sub-teams have no finished run: a + b"
    assert [label(spec) for spec in found["ammkd"].missing] == ["a+b · ammkd · seed 0", "a+b · ammkd · seed 1"]


def test_seeds_that_a_team_lacks_are_left_out(teams: Teams, finish: Callable[..., Record], tmp_path: Path) -> None:
    for spec in teams.specs:
        finish(spec, status="failed" if label(spec) == "b · seed 1" else "ok")
    one = read(teams, tmp_path)["equal"]
    assert one.attribution is not None
    assert one.attribution.seeds == (0,)
    assert "left out, as not every sub-team has them: seeds 1" in one.attribution.notes
    assert [label(spec) for spec in one.missing] == ["b · seed 1"]  # failed: it is tried again


def test_what_diverged_is_told_and_not_done_again(teams: Teams, finish: Callable[..., Record], tmp_path: Path) -> None:
    for spec in teams.specs:
        finish(spec, status="diverged" if label(spec) in ("b · seed 1", "a+b · ammkd · seed 0") else "ok")
    found = read(teams, tmp_path)
    assert found["equal"].missing == found["ammkd"].missing == ()
    assert found["equal"].attribution is not None
    [told] = [note for note in found["equal"].attribution.notes if note.startswith("diverged")]
    assert told.endswith("pebble · b · seed 1")
    assert found["ammkd"].attribution is None
    assert "share no seed" in found["ammkd"].reason
    assert len([note for note in found["ammkd"].notes if note.startswith("diverged")]) == 2


def test_records_of_other_data_do_not_compare(teams: Teams, finish: Callable[..., Record], tmp_path: Path) -> None:
    for spec in teams.specs:
        finish(spec, dataset_digest=("e" if label(spec) == "a · seed 0" else "d") * 64)
    with pytest.raises(RecordError, match="dataset_digest of shapes differs from that of the others"):
        read(teams, tmp_path)


def test_a_run_whose_arrays_are_damaged_is_to_do(teams: Teams, finish: Callable[..., Record], tmp_path: Path) -> None:
    for spec in teams.specs:
        finish(spec)
    path = record_path(tmp_path, "tiny", teams.specs[0].run_id).with_suffix(".test.npz")
    path.write_bytes(path.read_bytes()[:-9])
    found = read(teams, tmp_path)["equal"]
    assert teams.specs[0] in found.missing


def test_units_are_the_concepts_if_known(teams: Teams, finish: Callable[..., Record], tmp_path: Path) -> None:
    """Six concepts of four images each; without their file, Karpathy's layout is assumed and told."""
    for spec in teams.specs:
        finish(spec)
    without = read(teams, tmp_path)["equal"].attribution
    assert without is not None
    assert any("Karpathy" in note for note in without.notes)
    images, captions = np.arange(IMAGES) % 6, np.arange(CAPTIONS) % 6
    where = record_path(tmp_path, "tiny", teams.specs[0].run_id)
    sha256 = write_units(where, "d" * 64, units_of(images, captions))
    for spec in teams.specs:
        finish(spec, sizes=SIZES | {"concepts": 6}, units_sha256=sha256)
    found = read(teams, tmp_path)["equal"].attribution
    assert found is not None
    assert not any("Karpathy" in note for note in found.notes)
    assert found.total.mean == pytest.approx(without.total.mean)
    sums = np.zeros((2, 6))  # v(N) − v(∅) for each seed and concept, anew
    for sign, name in ((1, "a+b · equal"), (-1, "no distillation")):
        for seed in (0, 1):
            [spec] = [spec for spec in teams.specs if label(spec) == f"{name} · seed {seed}"]
            with np.load(record_path(tmp_path, "tiny", spec.run_id).with_suffix(".test.npz")) as ranks:
                for concept in range(6):
                    for way, of in (("text", images), ("image", captions)):
                        sums[seed, concept] += sign * sum(100 * (ranks[way][of == concept] <= k).mean() for k in (1, 5))
    again = estimate(sums)
    assert (found.total.low, found.total.high, found.total.p) == pytest.approx((again.low, again.high, again.p))


def test_units_of_another_content(teams: Teams, finish: Callable[..., Record], tmp_path: Path) -> None:
    where = record_path(tmp_path, "tiny", teams.specs[0].run_id)
    sha256 = write_units(where, "d" * 64, units_of(np.arange(IMAGES), np.arange(CAPTIONS) // 2))
    for spec in teams.specs:
        finish(spec, units_sha256="0" * 64)
    with pytest.raises(RecordError, match=r"test units unusable: found its sha256 is .*, not the one in its record"):
        read(teams, tmp_path)
    for spec in teams.specs:
        finish(spec, units_sha256=sha256, sizes=SIZES | {"concepts": 5})
    with pytest.raises(RecordError, match=r"dddddddddddd\.units\.npz: units of another split: found .*'concepts': 24"):
        read(teams, tmp_path)
