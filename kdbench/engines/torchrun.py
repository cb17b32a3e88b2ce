"""Executes one run on ranks that another launcher starts, on one or several machines:

    torchrun --nproc-per-node 8 -m kdbench.engines.torchrun suites/mine.yaml RUN_ID train.devices=8

Under Ray Train, or another launcher that sets up torch.distributed, call `execute_rank` in each worker. Only rank 0 uses the
results folder. Each machine may have its own cache, but then computes the teachers' embeddings itself. If a rank fails, the
launcher stops the others; the checkpoint stays.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from kdbench.errors import KdbenchError
from kdbench.plugins.building import building_with
from kdbench.plugins.loading import installed
from kdbench.records.examine_parts import check_same_code
from kdbench.records.provenance import resolved_device
from kdbench.records.record import Record
from kdbench.runs.context import RunContext
from kdbench.runs.execute import outcome_of
from kdbench.runs.once import execute_once
from kdbench.storage.cache import Cache, default_root
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.suite.spec import RunSpec
from kdbench.training.distributed import Rank


def execute_rank(spec: RunSpec, context: RunContext, rank: Rank | None = None, redo: bool = False) -> Record | None:
    """Executes this process's part of a run. Rank 0 writes and returns the record, the others return None.

    A finished run is not executed again, unless `redo` as `execute_once` has it: rank 0 decides and tells the others.

    `rank` is by default read from the environment. Raises KdbenchError if the number of ranks is not `train.devices`; ranks
    other than 0 raise the error that ended the training.
    """
    rank = rank or Rank.of_environment()
    devices = spec.train.devices if spec.train else 1
    if rank.size != devices:
        raise KdbenchError(f"found {rank.size} ranks, expected {devices}, the value of train.devices")
    context = replace(context, device=rank.device(context.device))
    leaving = ExitStack()  # closed only after success: see Rank.joined
    world = leaving.enter_context(rank.joined(context.device))
    record = None
    if rank.index == 0:
        told = False

        @contextmanager
        def executing() -> Iterator[None]:
            nonlocal told
            context.parts(spec, fresh=True)
            told = True
            world.broadcast(dict(context._examined))
            yield

        record = execute_once(spec, context, redo=redo, rank=rank, within=executing)
        if not told:
            world.broadcast(None)
    elif (examined := world.broadcast(None)) is not None:
        check_same_code(spec, context.plugins, examined)
        with building_with(context.plugins):
            outcome_of(spec, context, rank)
    if record is None or record.status == "ok":
        leaving.close()
    return record


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="kdbench.engines.torchrun", description="Executes one rank of one run.")
    parser.add_argument("suite", type=Path)
    parser.add_argument("run", help="the run's id, shown by kdbench plan")
    parser.add_argument("overrides", nargs="*", metavar="PATH=VALUE")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--redo", action="store_true", help="execute a finished run again if its code or files have changed")
    given = parser.parse_args(arguments)
    try:
        plugins = installed()
        specs = {spec.run_id: spec for spec in plan(load_suite(given.suite, plugins, given.overrides))}
        if given.run not in specs:
            raise KdbenchError(f"{given.suite} has no run {given.run!r}; kdbench plan {given.suite} --runs lists them")
        context = RunContext(plugins, Cache(given.cache or default_root()), given.results, resolved_device(given.device))
        record = execute_rank(specs[given.run], context, redo=given.redo)
    except KdbenchError as error:
        print(error, file=sys.stderr)
        return 2
    # A failed run must also end the other ranks.
    return 0 if record is None or record.status == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
