"""Checks and measures a GPU. `python -m tests.gpu [--device cuda] [--small] [--out FILE] [PART …]`.

Each part runs in a process of its own, and what fails is written down in its place: the others are still measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from tests.support.paths import ROOT

# Seconds that each may take: 470 in all, as run.sh stops at 480.
PARTS = {"parity": 60, "nccl": 45, "steps": 150, "encoding": 65, "jobs": 150}
MARK = "measured "  # begins the line with a part's values


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="by default all")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="the same in miniature, to try it on a CPU")
    parser.add_argument("--out", type=Path, default=ROOT / "results/bench/gpu.json")
    parser.add_argument("--here", action="store_true", help="measure one part in this process")
    given = parser.parse_args()
    if given.here:
        found = importlib.import_module(f"tests.gpu.{given.parts[0]}").measure(given.device, given.small)
        print(MARK + json.dumps(found))
        return
    results: dict[str, Any] = {"machine": machine(given.device), "small": given.small, "parts": {}}
    for name in given.parts or PARTS:
        results["parts"][name] = found = in_process(name, given.device, given.small)
        print(json.dumps({name: found}, indent=1), flush=True)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(results, indent=1) + "\n")  # after each part: the rest may not come


def in_process(name: str, device: str, small: bool) -> dict[str, Any]:
    """What a part measures, or its error."""
    command = [sys.executable, "-m", "tests.gpu", "--here", "--device", device, *(["--small"] if small else []), name]
    started, limit = time.perf_counter(), None if small else PARTS[name]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
        found = (
            json.loads(lines[-1].removeprefix(MARK)) if lines else {"error": done.stderr[-1500:] or f"exit {done.returncode}"}
        )
    except subprocess.TimeoutExpired:
        found = {"error": f"took more than {limit} s"}
    return {**found, "seconds": round(time.perf_counter() - started, 1)}


def machine(device: str) -> dict[str, Any]:
    """What is measured, and by which versions."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "device": device,
    }
    if torch.cuda.is_available():
        found |= {"gpu": torch.cuda.get_device_name(), "memory_gib": round(torch.cuda.mem_get_info()[1] / 2**30, 1)}
    return found


main()
