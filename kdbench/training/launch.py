"""Starts the ranks of one run on this machine, forwards their messages, and stops all if one fails.

torch's own launchers also stop the others, but may report a rank that failed only because another one died, and return no
values. With other launchers, start `kdbench.engines.torchrun`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kdbench.errors import Diverged, KdbenchError, Skip
from kdbench.training.distributed import Rank

GRACE = 0.5  # seconds to wait for the errors of other ranks that fail together
Tell = Callable[[Any], None]


def launch(size: int, function: Callable[..., Any], arguments: tuple[Any, ...], on_message: Callable[[Any], None]) -> Any:
    """Calls `function(member, tell, *arguments)` in `size` new processes and returns rank 0's result.

    Function and arguments are pickled. Messages that ranks pass to `tell` go to `on_message` here; if it raises, the ranks are
    stopped. Raises the first exception of a rank: KdbenchError, Skip and Diverged unchanged, others, and the death of a rank,
    as a KdbenchError with the rank and the error. No rank outlives this call.
    """
    context = get_context("spawn")
    ranks: dict[Connection, tuple[int, BaseProcess]] = {}
    with TemporaryDirectory(prefix="kdbench-ranks-") as folder:
        try:
            for rank in range(size):
                member = Rank(rank, size, f"file://{Path(folder) / 'meeting'}")
                reader, writer = context.Pipe(duplex=False)
                process: BaseProcess = context.Process(target=_serve, args=(member, writer, function, arguments))
                process.start()
                writer.close()  # only the rank keeps its end open: the pipe closes when the rank ends
                ranks[reader] = (rank, process)
            return _follow(ranks, size, on_message)
        finally:
            for _, process in ranks.values():
                process.kill()
            for _, process in ranks.values():
                process.join()


def _follow(ranks: dict[Connection, tuple[int, BaseProcess]], size: int, on_message: Callable[[Any], None]) -> Any:
    """Receives messages until all ranks have returned, or one has failed and others had time to report their errors."""
    lines = set(ranks)
    returned: dict[int, Any] = {}
    failures: dict[int, tuple[float, BaseException]] = {}  # by rank, with the time
    while lines:
        ready = wait(lines, GRACE if failures else None)
        for line in lines & set(ready):
            rank, process = ranks[line]
            try:
                kind, moment, content = line.recv()
            except EOFError:
                lines.discard(line)
                process.join()
                if rank not in returned and rank not in failures:  # a dead rank comes before ranks that failed because of it
                    failures[rank] = (0.0, KdbenchError(_death(rank, size, process.exitcode or 0)))
                continue
            if kind == "message":
                on_message(content)
            elif kind == "returned":
                returned[rank] = content
            else:
                failures[rank] = (moment, content)
        if failures and not ready:
            break
    if failures:
        raise min(failures.values(), key=lambda failure: failure[0])[1]
    return returned[0]


def _death(rank: int, size: int, code: int) -> str:
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"rank {rank} of {size} died ({how}); the checkpoint is kept, run again to resume"


def _serve(member: Rank, line: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """The main function of a rank's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the launching process handles it
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def tell(message: Any) -> None:
        line.send(("message", time.monotonic(), message))

    try:
        line.send(("returned", time.monotonic(), function(member, tell, *arguments)))
    except (KdbenchError, Skip, Diverged) as error:
        line.send(("raised", time.monotonic(), error))
        os._exit(1)
    except Exception as error:
        moment = time.monotonic()
        traceback.print_exc()
        sys.stderr.flush()
        text = f"rank {member.index} of {member.size}: {type(error).__name__}: {error}"
        line.send(("raised", moment, KdbenchError(text)))
        os._exit(1)  # shutting down during a collective may hang


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
