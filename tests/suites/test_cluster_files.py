"""The worked files for clusters: as far as can be told without one."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from kdbench.cli import app
from kdbench.cli.engine_options import chosen_engine
from kdbench.plugins.loading import installed
from kdbench.suite import shipped
from tests.support.paths import ROOT

SLURM = ROOT / "suites/cluster/slurm.sh"


@pytest.fixture(scope="module")
def documents() -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in yaml.safe_load_all((ROOT / "suites/cluster/rayjob.yaml").read_text())}


def options(words: list[str]) -> set[str]:
    return {word for word in words if word.startswith("--")}


def test_the_job_runs_a_suite_on_shared_folders(documents: dict[str, dict[str, Any]]) -> None:
    spec = documents["RayJob"]["spec"]
    words = shlex.split(spec["entrypoint"])
    assert words[:2] == ["kdbench", "run"]
    assert words[2] in shipped.suites()
    assert words[words.index("--engine") + 1] == "ray"
    chosen_engine(installed(), "ray", None, words[words.index("--resources") + 1])
    text = re.sub(r"\x1b\[[0-9;]*m", "", CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "200"}).output)
    assert all(option in text for option in options(words))
    cluster = spec["rayClusterSpec"]
    pods = [cluster["headGroupSpec"]["template"], *(group["template"] for group in cluster["workerGroupSpecs"])]
    for pod in pods:
        (container,) = pod["spec"]["containers"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        claims = {volume["name"]: volume["persistentVolumeClaim"]["claimName"] for volume in pod["spec"]["volumes"]}
        assert claims["shared"] == documents["PersistentVolumeClaim"]["metadata"]["name"]
        for option in ("--results", "--cache"):
            assert words[words.index(option) + 1].startswith(mounts["shared"] + "/")
    assert documents["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteMany"]


def test_the_script_runs_a_suite_with_symmetric_run(tmp_path: Path) -> None:
    """With commands in place of Slurm's and Ray's that say how they were called."""
    commands = tmp_path / ".venv/bin"
    commands.mkdir(parents=True)
    (commands / "activate").write_text(f"export PATH={commands}:$PATH\n")
    for name, body in (("srun", 'while [[ $1 == --* ]]; do shift; done; "$@"'), ("scontrol", "echo node1; echo node2")):
        (commands / name).write_text(f"#!/bin/bash\n{body}\n")
    (commands / "ray").write_text('#!/bin/bash\nprintf "%s\\n" "$KDBENCH_CACHE" "$RAY_AUTH_MODE" "$@"\n')
    for name in ("srun", "scontrol", "ray"):
        (commands / name).chmod(0o755)
    job = {"SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_JOB_NODELIST": "node[1-2]", "SLURM_JOB_NUM_NODES": "2"}
    job |= {"SLURM_JOB_ID": "1234567", "SLURM_CPUS_PER_TASK": "16"}
    done = subprocess.run(
        ["bash", SLURM, "suites/mine.yaml"], env=os.environ | job, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    cache, authentication, *words = done.stdout.splitlines()
    ours = words[words.index("--") + 1 :]
    assert (cache, authentication) == (f"{tmp_path}/cache", "token")
    assert words[:5] == ["symmetric-run", "--address", "node1:34567", "--min-nodes", "2"]
    assert ours[:6] == ["kdbench", "run", "suites/mine.yaml", "--engine", "ray", "--address"]
    assert ours[6:9] == ["node1:34567", "--results", f"{tmp_path}/results"]
