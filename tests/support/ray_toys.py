"""Toys whose strategies note where they run, stop there, or kill their process: a plugin of Ray's workers in tests."""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch
from torch import Tensor

from kdbench import Offer, Signal, TeacherData, Towers
from tests.support.toys import Sage, Toys

STEPS = 12
PARKED_SECONDS = 600  # longer than a run that does not wait for it takes on any machine


def folder() -> Path:
    """Of notes; engines pass on variables that begin with KDBENCH_."""
    return Path(os.environ["KDBENCH_TEST_NOTES"])


def node() -> str:
    """Where this process runs; empty outside a cluster."""
    import ray

    return str(ray.get_runtime_context().get_node_id()) if ray.is_initialized() else ""


def note(*words: object) -> None:
    with (folder() / "steps").open("a") as file:
        file.write(" ".join(map(str, words)) + "\n")


class Noting:
    """Equal weights. Notes number, step and node; on the node that the file `park` names it sleeps in step 7."""

    def __init__(self, *, number: int) -> None:
        self.number = number

    def weigh(self, signal: Signal) -> Tensor:
        step = round(signal.batch.progress * STEPS)
        note(self.number, step, node() or "here")
        park = folder() / "park"
        if step == 7 and park.exists() and park.read_text() == node():
            (folder() / "parked").write_text(str(self.number))
            time.sleep(PARKED_SECONDS)
            (folder() / "woke").touch()
        return torch.full((len(signal.teachers),), 1 / len(signal.teachers))


class Fatal:
    """Kills its own process in step 6, as often as `times` says."""

    def __init__(self, *, number: int, times: int) -> None:
        self.number = number
        self.times = times

    def weigh(self, signal: Signal) -> Tensor:
        step = round(signal.batch.progress * STEPS)
        note(self.number, step, node())
        if step == 6:
            deaths = folder() / f"deaths {self.number}"
            count = len(deaths.read_text()) if deaths.exists() else 0
            if count < self.times:
                deaths.write_text("x" * (count + 1))
                os.write(2, b"the last words\n")
                os.kill(os.getpid(), 9)
        return torch.full((len(signal.teachers),), 1 / len(signal.teachers))


class Resting:
    """Equal weights, after `seconds` of sleep."""

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds

    def weigh(self, signal: Signal) -> Tensor:
        time.sleep(self.seconds)
        if "KDBENCH_TEST_TIMES" in os.environ and signal.batch.progress == 0:
            with Path(os.environ["KDBENCH_TEST_TIMES"]).open("a") as file:
                file.write(f"{os.getpid()} {time.process_time()}\n")
        return torch.full((len(signal.teachers),), 1 / len(signal.teachers))


class Foul:
    """Equal weights. Takes the seeds out of torch for whatever its process executes afterwards."""

    def weigh(self, signal: Signal) -> Tensor:
        torch.manual_seed = torch.random.manual_seed = lambda seed: torch.default_generator  # noqa: ARG005
        torch.set_num_threads(2)
        return torch.full((len(signal.teachers),), 1 / len(signal.teachers))


class Mortal(Sage):
    """Kills the first process that asks for its towers."""

    def towers(self, data: TeacherData) -> Towers:
        fallen = folder() / "fallen"
        if not fallen.exists():
            fallen.touch()
            os.kill(os.getpid(), 9)
        return super().towers(data)


TOYS = Toys(
    teachers=[Offer("mortal", Mortal)],
    strategies=[Offer("noting", Noting), Offer("fatal", Fatal), Offer("resting", Resting), Offer("foul", Foul)],
)
