"""Every part of the checks of a GPU, in miniature on a CPU: without a GPU, this is what is known of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gpu import encoding, jobs, nccl, parity, steps
from tests.gpu.watch import summary
from tests.support.paths import ROOT


def test_ranks_on_the_same_device_are_equal() -> None:
    found = parity.measure("cpu", small=True)
    assert found["fp32"]["cosine_min"] == pytest.approx(1, abs=1e-5)
    assert found["fp32"]["ranks_equal"] == {"text": 1.0, "image": 1.0}
    assert 0.99 < found["bf16"]["cosine_min"] < 1 - 1e-6
    assert found["losses"]["cpu"] == found["losses"]["fp32"]
    assert found["losses"]["bf16"] == pytest.approx(found["losses"]["fp32"], rel=0.05)
    assert found["losses"]["bf16"] != found["losses"]["fp32"]


def test_one_process_exchanges_with_itself() -> None:
    assert nccl.measure("cpu", small=True) == {"backend": "gloo", "exchanged": True, "relayed": True}


def test_steps_are_timed() -> None:
    found = steps.measure("cpu", small=True)
    assert list(found) == [
        "eager fp32, none",
        "eager fp32, ammkd",
        "eager bf16, none",
        "eager bf16, equal",
        "eager bf16, ammkd",
    ]
    assert all(kind["ms"]["total"] > 0 for kind in found.values())


def test_encoding_is_timed() -> None:
    found = encoding.measure("cpu", small=True)
    assert {name for name, value in found.items() if name != "model" and value > 0} == {
        "images_a_second_float32",
        "images_a_second_bfloat16",
        "images_a_second_stored",
    }


def test_trainings_run_at_once() -> None:
    found = jobs.at_once(2, "cpu", steps=1, small=True)
    assert found["steps_a_second"] * found["seconds"] == pytest.approx(2, rel=0.1)


def test_the_script_writes_every_part_and_the_error_of_one_that_fails(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    command = ["bash", "tests/gpu/run.sh", "--device", "cuda:77", "--small", "--out", str(out), "nccl"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=os.environ | {"PYTHON": sys.executable})
    found = json.loads(out.read_text())
    assert list(found["parts"]) == ["nccl"]
    assert "Error" in found["parts"]["nccl"]["error"]
    assert found["machine"]["device"] == "cuda:77"


def test_lines_of_nvidia_smi() -> None:
    assert summary("10, 900\n30, 1000\n[N/A], 5\n2") == {"utilisation": 20.0, "memory_mib": 1000.0}
    assert summary("") == {}
