"""Executes one piece of work on another machine with shared folders; a run is executed by one process at a time, and once."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kdbench.contracts import Site
from kdbench.engines.executor import Executor
from kdbench.engines.messages import AnyEvent, AnyWork, Done, Finished, Message
from kdbench.errors import KdbenchError

SHARED_SECONDS = 10.0  # seconds until a file of the driver must be visible here: network file systems cache look-ups


class Errand(Message):
    """A piece of work with everything that another machine needs to execute it.

    `folder` is the driver's working directory, `seal` the name of a file that it wrote into `site.results` and `site.cache`.
    `log` is the file that receives the output of the work.
    """

    site: Site
    folder: Path
    seal: str
    work: Annotated[AnyWork, Field(discriminator="kind")]
    log: Path


def execute_errand(errand: Errand, send: Callable[[AnyEvent], None]) -> Finished | None:
    """Executes the work, sends all events but the last, and returns a run's last event.

    Raises KdbenchError if a folder is not shared with the driver.
    """
    _enter(errand)
    ended: list[Finished] = []

    def sort(event: AnyEvent) -> None:
        if isinstance(event, Finished):
            ended.append(event)
        elif not isinstance(event, Done):
            send(event)

    Executor(errand.site, sort, log=lambda _: errand.log).execute(errand.work)
    return ended[0] if ended else None


def _enter(errand: Errand) -> None:
    """Raises KdbenchError if the folders are not the driver's.

    A node with other folders would write records that the driver never reads, and start every run from the beginning.
    """
    until = time.monotonic() + SHARED_SECONDS
    for name, folder in (("results", errand.site.results), ("cache", errand.site.cache)):
        while not (folder / errand.seal).exists():
            if time.monotonic() > until:
                raise KdbenchError(
                    f"--{name}: node {platform.node()} cannot see what the driver wrote into {folder}; expected a folder "
                    "that all nodes share, under the same path, such as an NFS mount"
                )
            time.sleep(0.2)
    try:
        os.chdir(errand.folder)
    except OSError as error:
        raise KdbenchError(
            f"node {platform.node()} cannot enter {errand.folder} ({error}), which paths in a suite are relative to; start "
            "kdbench in a folder that all nodes have"
        ) from error
