"""Where tasks execute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kdbench.engines.local import LocalEngine, default_jobs
from kdbench.engines.ray import RayEngine
from kdbench.engines.resources import Resources


@dataclass(frozen=True)
class Where:
    """An engine, and of Ray's the cluster and what each task asks of it."""

    engine: Literal["local", "ray"] = "local"
    address: str | None = None
    resources: Resources = field(default_factory=Resources)

    def made(
        self, results: Path, cache: Path, device: str, jobs: int | None, on_event: Callable[[Any, dict[str, Any]], None]
    ) -> LocalEngine | RayEngine:
        """The engine; `jobs` None is as many as it has room for."""
        if self.engine == "ray":
            return RayEngine(results, cache, device, jobs, on_event, self.address, self.resources)
        return LocalEngine(results, cache, device, jobs or default_jobs(device), on_event)
