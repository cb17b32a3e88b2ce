"""Ranks that do not reach their end. They import no more than they need: every test starts processes of them."""

from __future__ import annotations

import os
import signal

import torch

from kdbench.training.distributed import Rank
from kdbench.training.launch import Tell


def one_raises(rank: Rank, tell: Tell) -> None:
    """The second rank raises while the first waits for it in an exchange."""
    with rank.joined("cpu") as world:
        tell(world.rank)
        if world.rank == 1:
            raise ArithmeticError("the second has had enough")
        world.sum(torch.ones(1))
        tell("never")


def one_dies(rank: Rank, tell: Tell) -> None:
    """The same, killed."""
    with rank.joined("cpu") as world:
        tell(world.rank)
        if world.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        world.sum(torch.ones(1))


def waits(rank: Rank, tell: Tell) -> None:
    """Tells its process id and sleeps until it is ended."""
    tell((rank.index, os.getpid()))
    signal.pause()
