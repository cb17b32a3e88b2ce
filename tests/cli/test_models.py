"""Commands over models: evaluate, export, profile."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kdbench import TeacherData
from kdbench.records.profiles import find_profiles, read_profile
from kdbench.records.record import Record
from kdbench.runs.execute import execute
from kdbench.suite.spec import RunSpec
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.one_way import ranks
from tests.support.command_plugins import command_plugins
from tests.support.made_records import edit, made
from tests.support.toys import Beads, Sage, run_context, run_spec

Command = Callable[..., tuple[int, str, str]]
Spec = Callable[..., RunSpec]
Make = Callable[..., Record]
NO_DATA: TeacherData = None  # type: ignore[assignment]  # a sage learns nothing


@pytest.fixture
def kdbench(typed: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Types a command; the toys are what is installed."""
    monkeypatch.setattr("kdbench.plugins.loading.installed", command_plugins)
    return typed


@pytest.mark.parametrize("split", ["test", "validation"])
def test_evaluate(split: str, kdbench: Command, tmp_path: Path) -> None:
    teacher = "{use: sage, width: 7, seed: 2}"
    code, out, _ = kdbench(
        "evaluate", teacher, "-d", "beads", "seed=3", "--split", split, "--set", "recall_at=[1, 3]", "--out", "deep/r.json"
    )
    assert code == 0
    towers, seen = Sage(width=7, seed=2).towers(NO_DATA), Beads(seed=3).split(split)  # type: ignore[arg-type]
    image = towers.image.encode(np.stack(list(seen.images)), "cpu").half().float().numpy()
    text = towers.text.encode(seen.captions, "cpu").half().float().numpy()
    task = Retrieval(recall_at=[1, 3])
    arrays = {
        "text": ranks(image, text, seen.image_concepts, seen.caption_concepts),
        "image": ranks(text, image, seen.caption_concepts, seen.image_concepts),
    }
    expected = task.measure(arrays)
    written = json.loads((tmp_path / "deep/r.json").read_text())
    assert written["metrics"] == {name: value for name, value in expected.items() if "@" in name}
    assert (written["dataset"], written["model"], written["task"]) == ("beads", "sage", "zeroshot_retrieval")
    shown = [
        " ".join([metric.label, metric.text(metric.scale * expected[metric.name]), metric.unit]).strip()
        for metric in task.metrics
        if metric.shown
    ]
    assert [" ".join(line.split()) for line in out.splitlines()] == shown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{use: sage}", "-d", "bead"], "did you mean 'beads'?"),
        (["{use: sag}", "-d", "beads"], "did you mean 'sage'?"),
        (["{use: sage}", "-d", "beads", "sed=3"], "did you mean 'seed'?"),
        (["{use: sage}", "-d", "beads", "--split", "train"], "split: found 'train', expected test or validation"),
        (["{use: sage}", "-d", "beads", "--set", "recal_at=[1]"], "did you mean 'recall_at'?"),
        (["{use: sage}", "-d", "beads", "--device", "gpu"], "device: found 'gpu'"),
    ],
)
def test_evaluate_says_what_is_wrong(arguments: list[str], told: str, kdbench: Command) -> None:
    code, out, err = kdbench("evaluate", *arguments)
    assert (code, out) == (2, "")
    assert told in err


def test_export_of_a_student_that_is_no_open_clip_model(kdbench: Command, tmp_path: Path) -> None:
    where = run_context(tmp_path)
    record = execute(run_spec(["a"]), where)
    code, _, err = kdbench("export", record.run_id[:5], "--to", "open_clip")
    assert code == 2
    assert "toy" in err
    assert not (tmp_path / "exports").exists() or not list((tmp_path / "exports").iterdir())
    assert kdbench("export", "0123", "--to", "onnx")[0] == 2


def test_export_to_onnx(kdbench: Command, tmp_path: Path) -> None:
    where = run_context(tmp_path)
    record = execute(run_spec(["a"]), where)
    code, out, err = kdbench("export", record.run_id, "--to", "onnx")
    assert code == 0, err
    assert "equal to the record: text 100.00%, image 100.00%" in out
    assert (tmp_path / f"exports/{record.run_id}-onnx/image.onnx").is_file()
    assert "no profile on this device" in err


SUITE = """\
name: few
datasets: [{use: flickr30k, miniature: true, size: 48}]
students:
  - name: small
    use: openclip
    config:
      embed_dim: 16
      vision_cfg: {timm_model_name: test_resnet, timm_pool: avg, timm_proj: linear, image_size: 32}
      text_cfg: {context_length: 16, vocab_size: 49408, width: 32, heads: 2, layers: 1}
train: {epochs: 1, batch_size: 64}
"""


def test_latencies_of_an_export_join_the_profile(kdbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the installed plugins, as a student is measured in a process of its own, which knows no others."""
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "few.yaml").write_text(SUITE)
    code, out, err = kdbench("run", "few.yaml", "--engine", "in_process")
    assert code == 0, err
    assert "Measuring small" in err
    assert "search" in out
    [record] = [path for path in (tmp_path / "results/few").glob("*.json") if "." not in path.stem]
    code, _, err = kdbench("export", record.stem, "--to", "onnx")
    assert (code, "no profile" in err) == (0, False)
    [profile] = map(read_profile, find_profiles([tmp_path / "results"]))
    assert set(profile.extra) == {f"onnx {tower} batch{size} ms" for tower in ("image", "text") for size in (1, 32)}
    code, out, _ = kdbench("leaderboard", "--wide")
    assert "onnx image batch1 ms" in out
    code, out, _ = kdbench("profile", "few.yaml", "--format", "json")
    assert json.loads(out)[0]["rows"][0]["extra"] == profile.extra
    assert kdbench("run", "few.yaml")[2] == "All 1 runs are recorded under results/few.\n"  # and measured


@pytest.fixture
def inspected(typed: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Command, Path]:
    """Types a command, with the toys for plugins, and a record under results/."""
    monkeypatch.setattr("kdbench.plugins.loading.installed", command_plugins)
    return typed, made(tmp_path / "results")


def test_inspect(inspected: tuple[Command, Path], tmp_path: Path) -> None:
    kdbench, path = inspected
    assert kdbench("inspect", "0" * 6)[0] == 2  # nothing is recorded under that id
    code, out, err = kdbench("inspect", path.stem[:6], "--png", "what.png")
    assert (code, err) == (0, "Drawn into what.png\n")
    assert "Weight of each teacher" in out
    assert (tmp_path / "what.png").read_bytes().startswith(b"\x89PNG")


def test_what_verify_refuses_is_not_inspected(inspected: tuple[Command, Path]) -> None:
    kdbench, path = inspected
    edit(path, lambda record: record["metrics"].update(rsum=600.0))
    code, out, err = kdbench("inspect", path)
    assert (code, out) == (2, "")
    assert "metrics.rsum does not follow from the recalls" in err
