"""The suites that ship: each is right, and the benchmarks run end to end without their data."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdbench.plugins.loading import installed
from kdbench.storage.digest import digest_of
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench_plugins.openclip import check_pretrained
from tests.support.distributions import python_path
from tests.support.paths import ROOT
from tests.support.patience import PATIENCE

SUITES = sorted((ROOT / "suites").glob("*.yaml"))
OFFLINE = ROOT / "tests/support/offline"  # its sitecustomize refuses connections
DATA = ("KDBENCH_FLICKR30K", "KDBENCH_COCO")


def kdbench(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {key: value for key, value in os.environ.items() if key not in DATA}
    command = [sys.executable, "-m", "kdbench", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=own | {"COLUMNS": "250"} | environment, capture_output=True, text=True, timeout=PATIENCE
    )


@pytest.mark.parametrize("path", SUITES, ids=[path.stem for path in SUITES])
def test_every_suite_is_right_when_small(path: Path) -> None:
    runs = plan(load_suite(path, installed(), smoke=True))
    assert runs
    assert all(run.smoke for run in runs)


# The runs of each suite, and a hash over their ids in order, as they were before suites extended presets; those of coco and
# flickr30k since their RN50 is RN50-quickgelu, the model that its weights were trained as, and without the settings of training
# that they gained later.
RUNS = {
    "adapmtl": (18, "b53d7b631bf5"),
    "ammkd": (55, "cd3286abc5f8"),
    "coco": (76, "1abf9fc5820a"),
    "emoji-views": (70, "7031a94ee240"),
    "emoji-sweep": (35, "ff278afdcb5d"),
    "emoji": (60, "3c47082fb9e3"),
    "eupe": (22, "b0f7231c9064"),
    "feature-alignment": (13, "c9a633cdd238"),
    "flickr30k": (76, "e39e0a2ac50a"),
    "mh-cvse": (27, "2a6a20dc446d"),
    "puma": (13, "a548b900fc39"),
    "emtal": (27, "17c2aae6983f"),
    "fusion-of-students": (27, "ec0dec2c5844"),
    "mmlora": (18, "0000809c61e7"),
    "mcad": (13, "27ded6d4a26e"),
    "okd": (13, "c4e7cfe5a0d1"),
    "navier-stokes-full": (452, "a07fd4adf9f6"),
    "navier-stokes": (227, "44ba8ec51cf9"),
    "quickstart": (5, "7b1fbf732644"),
    "regimes-all": (573, "94413138afbf"),
    "regimes": (267, "217cb84c9824"),
    "rl-kd": (30, "2f68e2a833a7"),
    "strategies": (140, "e8352634101a"),
    "students": (45, "c848f120ce5f"),
}
SMALL = ["datasets[0].miniature=true", "train.batch_size=64"]
LATER = ["train.views=null", "train.ema=null", "train.micro_batch=null"]
SMALL += [f"variants.{variant}.train.batch_size=64" for variant in ("fine-tuned", "from scratch")]


@pytest.mark.parametrize("path", SUITES, ids=[path.stem for path in SUITES])
def test_presets_changed_no_run(path: Path) -> None:
    """Published records belong to these runs."""
    changes = [*SMALL, *LATER] if path.stem in ("coco", "flickr30k") else []
    ids = [run.run_id for run in plan(load_suite(path, installed(), changes))]
    assert (len(ids), digest_of(ids)[:12]) == RUNS[path.stem]


def test_weights_of_shipped_suites_and_presets_fit_their_models() -> None:
    """Every model with published weights that a suite or preset names has the activation of these weights."""
    found = 0
    for path in [*SUITES, *(ROOT / "suites/presets").rglob("*.yaml")]:
        for entry in _maps(yaml.safe_load(path.read_text(encoding="utf-8"))):
            if entry.get("use") == "openclip" and entry.get("pretrained"):
                check_pretrained(entry["model"], entry["pretrained"])
                found += 1
    assert found >= 6


def _maps(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _maps(inner)


@pytest.mark.parametrize("name", ["flickr30k", "coco"])
def test_benchmarks_hold_what_is_compared(name: str) -> None:
    runs = plan(load_suite(ROOT / f"suites/{name}.yaml", installed(), SMALL))
    trained = [run for run in runs if not run.reference]
    assert len({run.student.name for run in trained}) >= 3
    assert {run.seed for run in trained} == {0, 1, 2}
    assert {run.strategy.name for run in trained if run.strategy} == {"equal", "ammkd", "rl_select"}
    assert {len(run.team) for run in trained} == {0, 1, 2}
    assert len([run for run in runs if run.reference]) == 4


@pytest.mark.parametrize(("name", "variable"), [("flickr30k", DATA[0]), ("coco", DATA[1])])
def test_without_data_it_says_what_to_get(name: str, variable: str, tmp_path: Path) -> None:
    done = kdbench("run", str(ROOT / f"suites/{name}.yaml"), cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 2
    assert variable in done.stderr
    assert "root:" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert not re.search(r"(?m)^import time:.*\| *(torch|timm|open_clip)$", done.stderr), "it takes the time of heavy imports"


# Every student alone and with both teachers under the strategy that has a network of its own; teams and the other strategies
# are looked at by `test_benchmarks_hold_what_is_compared`, and executed by `make faults`.
FEWER = ["teams=[[], [ViT-L-14-laion2b, ViT-B-16-datacomp]]", "strategies=[{use: rl_select, reward: r2}]"]


@pytest.mark.parametrize(
    ("changes", "runs"),
    [pytest.param(FEWER, 2, id="fewer"), pytest.param([], 6, id="whole", marks=pytest.mark.faults)],
)
def test_flickr30k_runs_end_to_end_when_small(changes: list[str], runs: int, tmp_path: Path) -> None:
    """The students of the suite and its references, on JPEGs laid out as Flickr30k's are.

    With augmented views, micro-batches and an average of the weights, and then by zero-shot classification, as docs/training.md
    has it. Nothing looks for another machine: weights that a suite asks for are downloaded, and a smoke run asks for none.
    """
    asked = tmp_path / "connections"
    suite, also = str(ROOT / "suites/flickr30k.yaml"), "evaluate.also=[{use: class_folders, miniature: true}]"
    assert f"kdbench run flickr30k --smoke '{also}'" in (ROOT / "docs/training.md").read_text(encoding="utf-8")
    typed = ["run", suite, also, *changes, "--smoke", "--engine", "in_process"]
    offline = {"PYTHONPATH": python_path(OFFLINE), "KDBENCH_TEST_CONNECTIONS": str(asked)}
    done = kdbench(*typed, cwd=tmp_path, KDBENCH_CACHE=str(tmp_path / "cache"), **offline)
    assert done.returncode == 0, done.stderr
    assert not asked.exists(), asked.read_text(encoding="utf-8")
    paths = [path for path in (tmp_path / "results/flickr30k-smoke").glob("*.json") if "." not in path.stem]
    records = [json.loads(path.read_text()) for path in paths]
    elsewhere = [record for record in records if record["spec"]["trained_on"]]
    assert len(records) - len(elsewhere) == len(elsewhere) == 4 + 4 * runs
    assert {(record["status"], record["spec"]["smoke"]) for record in records} == {("ok", True)}
    trained = [record for record in records if not record["spec"]["role"]]
    assert {record["steps"] for record in trained} == {2}
    for train in (record["spec"]["train"] for record in trained):
        assert (train["views"]["count"], train["ema"] > 0, train["micro_batch"] < train["batch_size"]) == (2, True, True)
    assert {record["spec"]["task"]["use"] for record in elsewhere} == {"zero_shot"}
    assert {tuple(record["metrics"]) for record in elsewhere} == {("acc1", "acc5", "mean_per_class_recall")}
    assert "SMOKE, not publishable" in done.stdout
    board = kdbench("leaderboard", cwd=tmp_path)
    assert board.stdout.startswith(f"No finished runs.\n{len(records)} smoke runs left out")
