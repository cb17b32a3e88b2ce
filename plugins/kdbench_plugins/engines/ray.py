"""Runs tasks on a Ray cluster, one that is there or one started here. The only file that imports Ray.

Events reach the driver through a mailbox, an actor beside it, and not as a stream that each task yields: a stream wants the
same items again from a task that is tried again, and one that goes on from its checkpoint has fewer to tell.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.engines.driver import Driver, Job, first_line
from kdbench.engines.remote import carry_out
from kdbench.engines.resources import Resources
from kdbench.engines.tasks import THREADS, Event, Task, need, preparations
from kdbench.errors import KdbenchError
from kdbench.suite.plan import RunSpec
from kdbench.tuning.study import Study

KNOCK_SECONDS = 10.0
STORE_BYTES = 10**8  # tasks exchange small maps; everything large is in the cache


@dataclass
class RayEngine:
    """Executes run specs as Ray tasks and tells `on_event(spec or None, event)` what happens, in LocalEngine's words.

    `results` and `cache` must be the same folders on every node. `address`: `auto`, `host:port` or `ray://host:port`; None is
    what RAY_ADDRESS says, else a cluster on this machine for as long as the runs take. `jobs`: how many tasks are handed over
    at a time; None: all, or on a cluster started here as many as cores. What each asks for is in `resources`.
    """

    results: Path
    cache: Path
    device: str
    jobs: int | None
    on_event: Callable[[Any, Event], None]
    address: str | None = None
    resources: Resources = field(default_factory=Resources)

    def run(self, specs: list[RunSpec]) -> None:
        """Returns when every spec has ended. An interrupt cancels the tasks; their checkpoints stay.

        A task whose process or node is lost is tried again and goes on from its checkpoint. Raises KdbenchError where Ray
        is missing, no cluster answers, it cannot give what tasks ask for, or a node does not share the folders.
        """
        self._carry_out([Job(spec, {"task": "run", "spec": spec.as_dict()}, _needs(spec)) for spec in specs], specs)

    def serve(self, studies: list[Study], storage: str) -> None:
        """Returns when no trial of the studies is left that a worker could take up: LocalEngine's `serve` on a cluster.

        A study is one task, which tries one trial after the other; lost, it is handed over again and goes on with the trial
        that it was at. `storage` must be the same for every node.
        """
        cells = [RunSpec(**study.spec) for study in studies]
        self._carry_out(
            [
                Job(study, {"task": "study", "study": study.as_dict(), "storage": storage}, _needs(cell))
                for study, cell in zip(studies, cells, strict=True)
            ],
            cells,
        )

    def _carry_out(self, jobs: list[Job], specs: list[RunSpec]) -> None:
        made = [Job(None, task, key=key) for key, task in preparations(specs).items()]
        ray = _imported()
        with self._connected(ray), self._sealed() as seal:
            driver = self._driver(ray, seal, made + jobs)
            try:
                driver.follow()
            except ray.exceptions.RayError as error:
                raise KdbenchError(
                    f"the connection to the cluster is lost ({first_line(error)}); finished runs are recorded, the others have "
                    "checkpoints: the same command goes on from there"
                ) from error
            finally:
                driver.cancel()

    def _driver(self, ray: Any, seal: str, jobs: list[Job]) -> Driver:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        device = self._device(ray)
        self._check(ray, device)
        settings = {"results": str(self.results), "cache": str(self.cache), "device": device}
        settings |= {"folder": str(Path.cwd()), "seal": seal}
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        mailbox = ray.remote(_Mailbox).options(num_cpus=0, scheduling_strategy=here).remote()
        own = {name: value for name, value in os.environ.items() if name.startswith("KDBENCH_")}
        gpus = self.resources.gpus_on(device)
        execute = ray.remote(
            num_cpus=self.resources.cpus,
            num_gpus=gpus,
            memory=self.resources.memory,
            max_retries=0,  # the driver counts
            max_calls=1 if gpus else 0,  # only a process that ends gives its GPU back; others keep their imports for the next
            runtime_env={"env_vars": THREADS | own},
        )(_execute)

        def submit(task: Task, name: str, number: int, waits: list[Any]) -> Any:
            return execute.options(name=name).remote(settings, task, mailbox, number, *waits)

        return Driver(ray, submit, mailbox, jobs, self.jobs, self.cache / "logs", self.on_event)

    @contextmanager
    def _connected(self, ray: Any) -> Iterator[None]:
        if ray.is_initialized():  # by whoever called: theirs to end as well
            yield
            return
        address = self.address or os.environ.get("RAY_ADDRESS") or "local"
        options: dict[str, Any] = {}
        if address == "local":
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing about the user's runs leaves the machine unasked
            cpus = max(1, -(-(self.jobs or os.cpu_count() or 1) * self.resources.cpus // 1))
            options = {"num_cpus": int(cpus), "include_dashboard": False, "object_store_memory": STORE_BYTES}
        try:
            _knock(address)
            ray.init(address, log_to_driver=False, logging_level="ERROR", **options)
        except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            raise KdbenchError(
                f"--address: found {address!r}, where no Ray cluster answers ({error}); expected auto, HOST:PORT or "
                "ray://HOST:PORT of one that `ray start --head` has started, and RAY_AUTH_MODE=token if it asks for a token; "
                "without --address one is started here"
            ) from error
        try:
            yield
        finally:
            ray.shutdown()

    @contextmanager
    def _sealed(self) -> Iterator[str]:
        """Puts into both folders a file by which nodes know them."""
        seal = f".driver-{uuid.uuid4().hex[:12]}"
        files = [folder / seal for folder in (self.results, self.cache)]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        try:
            yield seal
        finally:
            for file in files:
                file.unlink(missing_ok=True)

    def _device(self, ray: Any) -> str:
        """`auto` is what the cluster has: this machine may be one without a GPU."""
        if self.device == "auto":
            return "cuda" if ray.cluster_resources().get("GPU") and self.resources.gpus != 0 else "cpu"
        if self.device.startswith("cuda:"):
            raise KdbenchError(f"--device: found {self.device!r}, expected cuda: Ray chooses the GPU of each task")
        return self.device

    def _check(self, ray: Any, device: str) -> None:
        """Says so where no node can take a task. A cluster may grow; one that was started here does not."""
        asked = {"CPU": self.resources.cpus, "GPU": self.resources.gpus_on(device), "memory": self.resources.memory or 0}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if any(all(node.get(name, 0) >= amount for name, amount in asked.items()) for node in nodes):
            return
        wanted = ", ".join(f"{name} {amount:g}" for name, amount in asked.items() if amount)
        there = "; ".join(", ".join(f"{name} {node.get(name, 0):g}" for name in asked) for node in nodes)
        text = f"--resources: a task asks for {wanted}, and no node has that; found {there}"
        if not self.address and not os.environ.get("RAY_ADDRESS"):
            raise KdbenchError(text)
        self.on_event(None, {"event": "warning", "message": f"{text}; waiting for one to join"})


class _Mailbox:
    """What tasks tell and the driver has not heard yet."""

    def __init__(self) -> None:
        self.letters: list[tuple[int, Event]] = []

    def put(self, number: int, event: Event) -> None:
        self.letters.append((number, event))

    def take(self) -> list[tuple[int, Event]]:
        letters, self.letters = self.letters, []
        return letters


def _execute(settings: dict[str, Any], task: Task, mailbox: Any, number: int, *_waited_for: Any) -> Event:
    """In a worker of the cluster."""
    import ray

    def send(event: Event) -> None:
        mailbox.put.remote(number, event)

    send({"event": "started"})
    try:
        return carry_out(settings, task, send)
    finally:
        ray.get(mailbox.put.remote(number, {"event": "heard"}))  # letters of one sender stay in order: all are there now


def _needs(spec: RunSpec) -> list[str]:
    return [need(spec, teacher) for teacher in spec.team]


def _knock(address: str) -> None:
    """Ray itself tries for minutes. Raises OSError where nobody answers."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_SECONDS).close()


def _imported() -> Any:
    try:
        import ray
    except ImportError as error:
        raise KdbenchError(f"--engine ray needs Ray ({error}); pip install 'kdbench[ray]'") from error
    return ray
