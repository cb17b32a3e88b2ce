"""Pictures of a run for its page."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdbench.deploy.gallery.of_run import run_pictures
from kdbench.deploy.gallery.opened import read
from kdbench.records.reading import Reading, read_measured
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench.storage.cache import Cache, Entry
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from tests.support.gallery_runs import trained
from tests.support.waves import FewWaves, registered

SUITE = """\
name: waves
seeds: [0]
datasets: [waves]
students: [linear_forecaster]
teachers: {good: {use: fitted, epochs: 1}}
references: [good]
teams: [[good]]
objective: [field_mse]
train: {epochs: 1, batch_size: 16, lr: 0.02, precision: fp32}
"""


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> RunContext:
    folder = tmp_path_factory.mktemp("waves")
    context = RunContext(registered(), Cache(folder / "cache"), folder / "results")
    (folder / "waves.yaml").write_text(SUITE)
    for spec in plan(load_suite(folder / "waves.yaml", context.plugins)):
        assert execute(spec, context).status == "ok"
    return context


def captions(reading: Reading, context: RunContext, cache: Cache) -> dict[bool, list[str]]:
    """What is to be seen of a run, by whether it is a teacher itself."""
    return {
        run.record.spec.reference: [
            picture.caption.partition(":")[0]
            for picture in run_pictures(run, reading.runs, reading.units, context.plugins, cache)
        ]
        for run in reading.runs
    }


def test_a_student_stands_beside_its_teacher(waves: RunContext, tmp_path: Path) -> None:
    reading = read_measured([waves.results], waves.plugins)
    curves = ["Error against time", "Spectrum of the last frame"]
    expected = {False: ["Truth", "student", "good (teacher)", *curves], True: ["Truth", "teacher", *curves]}
    assert captions(reading, waves, waves.cache) == expected
    assert captions(reading, waves, Cache(tmp_path)) == {False: [], True: []}, "nothing is trained for a picture"


def test_a_dataset_of_which_the_cache_holds_no_run_is_not_built(waves: RunContext, tmp_path: Path) -> None:
    built: list[FewWaves] = []

    def counted(side: int = 8, beyond: int = 0, windows: int = 1) -> FewWaves:
        built.append(FewWaves(side=side, beyond=beyond, windows=windows))
        return built[-1]

    plugins = registered()
    listed = plugins.find("dataset", "waves")
    plugins.offers("dataset")["waves"] = replace(listed, offer=replace(listed.offer, build=counted))
    reading = read_measured([waves.results], plugins)
    for run in reading.runs:
        assert run_pictures(run, reading.runs, reading.units, plugins, Cache(tmp_path)) == ()
    assert not built
    read(reading.runs[0].record, None, plugins)
    assert built, "what would be counted"


def test_no_dataset_is_made_for_a_picture(waves: RunContext, tmp_path: Path) -> None:
    reading = read_measured([waves.results], waves.plugins)
    part = Cache(tmp_path / "part")
    shutil.copytree(waves.cache.root, part.root)
    part.remove(datasets_of(part))
    assert not any(captions(reading, waves, part).values())
    assert datasets_of(part) == []


def datasets_of(cache: Cache) -> list[Entry]:
    return [entry for entry in cache.entries() if isinstance(entry, Entry) and entry.kind == "datasets"]


def test_the_query_is_that_of_the_median_figure(waves: RunContext) -> None:
    reading = read_measured([waves.results], waves.plugins)
    run = next(run for run in reading.runs if not run.record.spec.reference)
    errors = run.arrays()["mse"]
    assert (errors < np.median(errors)).any()
    [truth, *_] = run_pictures(run, reading.runs, reading.units, waves.plugins, waves.cache)
    assert Image.open(io.BytesIO(truth.png)).format == "PNG"


def test_tasks_that_draw_nothing_read_nothing(tmp_path: Path) -> None:
    runs = trained()
    reading = read_measured([runs.context.results], runs.context.plugins)
    cache = Cache(tmp_path / "none")
    assert run_pictures(reading.runs[0], reading.runs, reading.units, runs.context.plugins, cache) == ()
    assert not cache.root.exists()
