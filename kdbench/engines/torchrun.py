"""One run on ranks that another launcher starts, on one machine or several:

    torchrun --nproc-per-node 8 -m kdbench.engines.torchrun suites/mine.yaml RUN_ID train.devices=8

Under Ray Train, or whatever sets up torch.distributed itself, call `attend` in each worker. The machines share the results
folder of the first rank only; each may have a cache of its own, but then each makes the teachers' embeddings too. Should a
rank fail, the launcher ends the others; the checkpoint stays.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from kdbench.errors import KdbenchError
from kdbench.plugins.building import building_with
from kdbench.plugins.loading import installed
from kdbench.records.provenance import resolved_device
from kdbench.records.record import Record
from kdbench.runs.execute import Bench, execute, outcome_at
from kdbench.storage.cache import Cache, default_root
from kdbench.suite.check import load_suite
from kdbench.suite.model import Train
from kdbench.suite.plan import RunSpec, plan
from kdbench.training.distributed import Place


def attend(spec: RunSpec, bench: Bench, place: Place | None = None) -> Record | None:
    """This process's share of a run. The first rank writes and returns the record, the others return None.

    Raises KdbenchError where there are not as many ranks as `train.devices` says, and, but for the first rank, whatever
    ended the training.
    """
    place = place or Place.of_environment()
    devices = Train(**spec.train).devices
    if place.size != devices:
        raise KdbenchError(f"{place.size} ranks were started and train.devices is {devices}; expected the same")
    bench = replace(bench, device=place.device(bench.device))
    if place.rank == 0:
        return execute(spec, bench, place)
    with building_with(bench.plugins):
        outcome_at(place, spec, bench)
    return None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="kdbench.engines.torchrun", description="One rank of one run.")
    parser.add_argument("suite", type=Path)
    parser.add_argument("run", help="the run's id, as kdbench plan shows it")
    parser.add_argument("overrides", nargs="*", metavar="PATH=VALUE")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args(arguments)
    try:
        plugins = installed()
        specs = {spec.run_id: spec for spec in plan(load_suite(given.suite, plugins, given.overrides))}
        if given.run not in specs:
            raise KdbenchError(f"{given.suite} has no run {given.run!r}; kdbench plan {given.suite} lists them")
        bench = Bench(plugins, Cache(given.cache or default_root()), given.results, resolved_device(given.device))
        record = attend(specs[given.run], bench)
    except KdbenchError as error:
        print(error, file=sys.stderr)
        return 2
    # A record of a failure ends the other ranks too.
    return 0 if record is None or record.status == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
