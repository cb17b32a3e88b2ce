"""A process that executes a suite of toys as `kdbench run` does: `… -m tests.support.toy_session RESULTS CACHE SEEDS SUITE`.

It prints `ready`, waits for a line, and ends with a line of JSON: the status of each run by its id.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kdbench.contracts import Site
from kdbench.engines.session import Session
from kdbench.plugins import loading
from kdbench_plugins.engines.in_process import InProcess
from tests.support.toys import run_spec, toy_plugins


def main() -> None:
    results, cache, seeds, suite = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    plugins = toy_plugins()
    loading.installed = lambda: plugins  # type: ignore[assignment]  # what the engine's own executor loads
    print("ready", flush=True)
    sys.stdin.readline()
    session = Session(Site(results, cache, "cpu", 1), InProcess(), plugins)
    specs = [run_spec(seed=seed, suite=suite, train={"checkpoint_every": 1}) for seed in range(seeds)]
    session.run(session.pending(specs))
    print(json.dumps({spec.run_id: session.records[spec.run_id].status for spec in specs}), flush=True)


if __name__ == "__main__":
    main()
