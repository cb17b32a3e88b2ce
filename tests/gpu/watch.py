"""What nvidia-smi says of a GPU while something runs."""

from __future__ import annotations

import shutil
import subprocess
from statistics import mean
from types import TracebackType
from typing import Self

QUERY = ["nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits", "-lms", "100"]


class Watch:
    """A context; `found` then holds the mean utilisation in % and the most memory used in MiB, nothing without nvidia-smi."""

    def __init__(self) -> None:
        self.found: dict[str, float] = {}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if shutil.which(QUERY[0]):
            self._process = subprocess.Popen(QUERY, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is None:
            return
        self._process.terminate()
        printed, _ = self._process.communicate()
        self.found = summary(printed)


def summary(printed: str) -> dict[str, float]:
    """The summary of lines such as `37, 1024`; others, such as one that was cut off, are left out."""
    rows = [line.split(",") for line in printed.splitlines()]
    pairs = [(float(row[0]), float(row[1])) for row in rows if len(row) == 2 and all(one.strip().isdecimal() for one in row)]
    if not pairs:
        return {}
    return {"utilisation": round(mean(one for one, _ in pairs), 1), "memory_mib": max(memory for _, memory in pairs)}
