"""`ray`: an existing Ray cluster (Moritz et al., OSDI 2018), or one started here. The only file that imports Ray.

Events reach the driver through a mailbox, which is an actor, and not as a stream that each task yields: after a retry Ray
expects a stream to yield the same items again, but a task that resumes from its checkpoint yields fewer.
"""

from __future__ import annotations

import os
import socket
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import KdbenchError, Offer, hookimpl
from kdbench.contracts import Engine, Event, Site, Work
from kdbench.errors import KdbenchWarning
from kdbench_plugins.engines.resources import Cpus, Gpus, Memory

if TYPE_CHECKING:
    from kdbench_plugins.engines.driver import Driver

CONNECT_SECONDS = 10.0
STORE_BYTES = 10**8  # tasks exchange small messages; everything large is in the cache


class Ray:
    """Executes work as Ray tasks. A study is one task, which executes its trials one after another.

    `site.results` and `site.cache` must be the same folders on every node. `address`: `auto`, `host:port` or
    `ray://host:port`; by default RAY_ADDRESS, otherwise a cluster on this machine for the duration of the runs.
    Each task reserves `cpus`, `gpus` (by default 1 on CUDA; with 0.5 two tasks share one) and `memory` (bytes, or `4GB`).
    `site.jobs` is the number of tasks submitted at a time; by default all, or one per core on a cluster started here.

    Each task has a process of its own, which takes some seconds to start: what a plugin does to its process ends with the task.
    A task whose process or node is lost is retried and resumes from its checkpoint. Raises KdbenchError if Ray is not
    installed, no cluster answers, no node has the reserved resources, or a node does not share the folders.
    """

    def __init__(
        self, *, address: str | None = None, cpus: Cpus = 1.0, gpus: Gpus | None = None, memory: Memory | None = None
    ) -> None:
        self.address, self.cpus, self.gpus, self.memory = address, cpus, gpus, memory

    def execute(self, work: Sequence[Work], site: Site, on_event: Callable[[Work, Event], None]) -> None:
        from kdbench_plugins.engines.driver import first_line

        ray = _imported()
        with self._connected(ray, site), _sealed(site) as seal:
            driver = self._driver(ray, work, site, seal, on_event)
            try:
                driver.follow()
            except ray.exceptions.RayError as error:
                raise KdbenchError(
                    f"the connection to the cluster is lost ({first_line(error)}); finished runs are recorded, the others have "
                    "checkpoints: the same command resumes from there"
                ) from error
            finally:
                driver.cancel()

    def gpus_on(self, device: str) -> float:
        """The GPUs that a task reserves."""
        return (1.0 if device == "cuda" else 0.0) if self.gpus is None else self.gpus

    def _driver(self, ray: Any, work: Sequence[Work], site: Site, seal: str, on_event: Callable[[Work, Event], None]) -> Driver:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from kdbench.engines.executor import THREADS
        from kdbench_plugins.engines.driver import Driver
        from kdbench_plugins.engines.remote import Errand

        device = self._device(ray, site.device)
        self._check(ray, device)
        there = Site(site.results, site.cache, device)
        folder = Path.cwd()
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        mailbox = ray.remote(_Mailbox).options(num_cpus=0, scheduling_strategy=here).remote()
        own = {name: value for name, value in os.environ.items() if name.startswith("KDBENCH_")}
        execute = ray.remote(
            num_cpus=self.cpus,
            num_gpus=self.gpus_on(device),
            memory=self.memory,
            max_retries=0,  # the driver counts
            max_calls=1,  # what a plugin does to its process ends with it, and only a process that ends releases its GPU
            runtime_env={"env_vars": THREADS | own},
        )(_execute)

        def submit(one: Work, log: Path, number: int, waits: list[Any]) -> Any:
            errand = Errand.model_validate({"site": there, "folder": folder, "seal": seal, "work": one, "log": log})
            return execute.options(name=one.label).remote(errand.model_dump_json(), mailbox, number, *waits)

        return Driver(ray, submit, mailbox, work, site, on_event)

    @contextmanager
    def _connected(self, ray: Any, site: Site) -> Iterator[None]:
        if ray.is_initialized():  # by the caller, who also ends it
            yield
            return
        address = self.address or os.environ.get("RAY_ADDRESS") or "local"
        options: dict[str, Any] = {}
        if address == "local":
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage statistics leave the machine unasked
            cpus = max(1, -(-(site.jobs or os.cpu_count() or 1) * self.cpus // 1))
            options = {"num_cpus": int(cpus), "include_dashboard": False, "object_store_memory": STORE_BYTES}
        try:
            _check_answers(address)
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

    def _device(self, ray: Any, device: str) -> str:
        """The device of tasks. `auto` depends on the cluster, because this machine may have no GPU."""
        if device == "auto":
            return "cuda" if ray.cluster_resources().get("GPU") and self.gpus != 0 else "cpu"
        if device.startswith("cuda:"):
            raise KdbenchError(f"--device: found {device!r}, expected cuda: Ray chooses the GPU of each task")
        return device

    def _check(self, ray: Any, device: str) -> None:
        """Checks that a node can execute a task; if not, raises KdbenchError on a cluster started here, otherwise warns."""
        asked = {"CPU": self.cpus, "GPU": self.gpus_on(device), "memory": self.memory or 0}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if any(all(node.get(name, 0) >= amount for name, amount in asked.items()) for node in nodes):
            return
        wanted = ", ".join(f"{name} {amount:g}" for name, amount in asked.items() if amount)
        there = "; ".join(", ".join(f"{name} {node.get(name, 0):g}" for name in asked) for node in nodes)
        text = f"--resources: a task reserves {wanted}, and no node has that; found {there}"
        if not self.address and not os.environ.get("RAY_ADDRESS"):
            raise KdbenchError(text)
        warnings.warn(f"{text}; waiting for one to join", KdbenchWarning, stacklevel=2)


class _Mailbox:
    """Events that the driver has not received yet, as JSON, each with the number of its job."""

    def __init__(self) -> None:
        self.letters: list[tuple[int, str]] = []

    def put(self, number: int, event: str) -> None:
        self.letters.append((number, event))

    def take(self) -> list[tuple[int, str]]:
        letters, self.letters = self.letters, []
        return letters

    def sync(self) -> None:
        """Returns when all earlier events of the caller have arrived: calls of one sender keep their order."""


def _execute(errand: str, mailbox: Any, number: int, *_waited_for: Any) -> str:
    """Executed in a worker of the cluster. Returns the JSON of a run's Finished, otherwise an empty string."""
    import ray

    from kdbench.engines.messages import AnyEvent, Started
    from kdbench_plugins.engines.remote import Errand, execute_errand

    def send(event: AnyEvent) -> None:
        mailbox.put.remote(number, event.model_dump_json())

    send(Started())
    try:
        finished = execute_errand(Errand.model_validate_json(errand), send)
        return finished.model_dump_json() if finished else ""
    finally:
        ray.get(mailbox.sync.remote())


@contextmanager
def _sealed(site: Site) -> Iterator[str]:
    """Writes a file into both folders by which nodes can verify that they are shared."""
    seal = f".driver-{uuid.uuid4().hex[:12]}"
    files = [folder / seal for folder in (site.results, site.cache)]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    try:
        yield seal
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def _check_answers(address: str) -> None:
    """Raises OSError if nothing listens at the address; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()


def _imported() -> Any:
    try:
        import ray
    except ImportError as error:
        raise KdbenchError(f"--engine ray needs Ray ({error}); pip install 'kdbench[ray]'") from error
    return ray


@hookimpl
def kdbench_engines() -> list[Offer[Engine]]:
    return [Offer("ray", Ray, "tasks of a Ray cluster, whose nodes share --results and --cache under the same paths")]
