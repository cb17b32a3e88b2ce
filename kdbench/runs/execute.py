"""From a RunSpec to a Record: the spine of kdbench, and the file to read first."""

from __future__ import annotations

import shutil
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from kdbench.storage.cache import Cache
from kdbench.storage.checkpoint import save_weights
from kdbench.tasks.retrieval.concepts import write_concepts
from kdbench.contracts import Progress, Strategy, Student
from kdbench.data.dataset import CachedDataset
from kdbench.training.distributed import Place
from kdbench.tasks.retrieval.embeddings import encode_split, rank_split
from kdbench.errors import Diverged, KdbenchError, KdbenchWarning, Skip
from kdbench.training.launch import Tell, launch
from kdbench.training.teacher_data import hear
from kdbench.plugins.building import build_planned, building_with
from kdbench.suite.plan import RunSpec
from kdbench.plugins.loading import Plugins, installed
from kdbench.deploy.profile.memory import Watch
from kdbench.records.provenance import device_name, host, source, versions
from kdbench.tasks.retrieval.ranks import Ranks
from kdbench.records.record import DONE, Record, Status, record_path, write_ranks, write_record, write_series
from kdbench.runs.teacher_itself import rank_teacher
from kdbench.training.trace import digest, published
from kdbench.suite.model import Evaluate, Train
from kdbench.training.team import Team
from kdbench.training.loop import Trained, train

ALONE = Place()


def _ignore(*_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Bench:
    """Where runs are executed: plugins, folders, device, and who is told about progress."""

    plugins: Plugins
    cache: Cache
    results: Path
    device: str = "cpu"
    on_progress: Callable[[Progress], None] = field(default=_ignore)
    on_epoch: Callable[[str, int, dict[str, float]], None] = field(default=_ignore)
    plugins_elsewhere: Callable[[], Plugins] = installed  # how another process of the same run finds them; is pickled

    def reconstructions(self, spec: RunSpec) -> list[str]:
        """Labels of the parts of a run whose sources leave something open, as their plugins say."""
        parts = [
            ("teacher" if spec.role == "reference" else "student", spec.student),
            *(("objective", term) for term in spec.objective),
        ]
        parts += [("teacher", teacher) for teacher in spec.team] + ([("strategy", spec.strategy)] if spec.strategy else [])
        offers = [(part["name"], self.plugins.offers(kind).get(part["use"])) for kind, part in parts]  # type: ignore[arg-type]
        return [name for name, listed in offers if listed and listed.offer.status == "reconstruction"]

    def open(self, dataset: dict[str, Any], run_id: str) -> CachedDataset:
        """The dataset of a spec, reporting its work as that run's."""

        def report(stage: str, done: int, total: int) -> None:
            self.on_progress(Progress(run_id, stage, done, total))

        with building_with(self.plugins):
            return CachedDataset(build_planned("dataset", dataset), self.cache, self.device, report)


def record_of(spec: RunSpec, bench: Bench, status: Status, reason: str, started: str, **outcome: Any) -> Record:
    """Writes what became of a run."""
    record = Record(
        run_id=spec.run_id,
        cell_id=spec.cell_id,
        label=spec.label,
        status=status,
        reason=reason,
        spec=spec.as_dict(),
        reconstructions=bench.reconstructions(spec),
        versions=versions(),
        host=host(),
        device=device_name(bench.device),
        threads=torch.get_num_threads(),
        started=started,
        finished=now(),
        **source(),
        **outcome,
    )
    write_record(bench.results, record)
    return record


def execute(spec: RunSpec, bench: Bench, place: Place | None = None) -> Record:
    """Runs `spec` and writes its record, whatever happens; only an interrupt leaves none.

    A run on several devices starts its ranks here, unless this process has a `place` among them already.

    Same seed, same initial weights, same batches: the student is built right after seeding, before anything a team or a
    strategy brings. The test split is opened on the last lines of `outcome_at` and nowhere else.
    """
    started = now()
    status: Status = "ok"
    reason = ""
    outcome: dict[str, Any] = {}
    try:
        with building_with(bench.plugins):
            devices = Train(**spec.train).devices
            if place is None and devices > 1 and spec.role != "reference":
                outcome = _outcome_of_ranks(spec, bench, devices)
            else:
                outcome = outcome_at(place or ALONE, spec, bench)
    except Skip as error:
        status, reason = "skipped", str(error)
    except Diverged as error:
        status, reason = "diverged", str(error)
    except KdbenchError as error:
        status, reason = "failed", str(error)
    except Exception as error:
        traceback.print_exc()
        status, reason = "failed", f"{type(error).__name__}: {error}"
    record = record_of(spec, bench, status, reason, started, **outcome)
    if status in DONE:
        shutil.rmtree(bench.cache.scratch(spec.run_id), ignore_errors=True)
    return record


def prepare(dataset: dict[str, Any], teacher: dict[str, Any], bench: Bench, task_id: str) -> None:
    """Makes a teacher's embeddings ahead of the runs that share them."""
    with building_with(bench.plugins):
        hear(teacher, bench.open(dataset, task_id))


def _outcome_of_ranks(spec: RunSpec, bench: Bench, devices: int) -> dict[str, Any]:
    """What the first of several ranks finds, whose progress is told here."""
    if bench.device.startswith("cuda") and (bench.device != "cuda" or torch.cuda.device_count() < devices):
        raise KdbenchError(
            f"train.devices is {devices}; found {torch.cuda.device_count()} GPUs and --device {bench.device}, expected as many "
            "GPUs and --device cuda"
        )
    if bench.device == "mps":
        raise KdbenchError(f"train.devices is {devices}; expected 1 on mps, or --device cpu")

    def on_message(message: Progress | tuple[str, int, dict[str, float]] | str) -> None:
        if isinstance(message, Progress):
            bench.on_progress(message)
        elif isinstance(message, str):
            warnings.warn(message, KdbenchWarning, stacklevel=2)
        else:
            bench.on_epoch(*message)

    settings = (bench.plugins_elsewhere, bench.cache, bench.results, bench.device, torch.get_num_threads())
    found: dict[str, Any] = launch(devices, _as_rank, (spec, *settings), on_message)
    return found


def _as_rank(
    place: Place,
    tell: Tell,
    spec: RunSpec,
    plugins: Callable[[], Plugins],
    cache: Cache,
    results: Path,
    device: str,
    threads: int,
) -> dict[str, Any]:
    """A rank's share of a run, in a process of its own."""
    torch.set_num_threads(threads)
    heard: dict[str, Any] = {}
    if place.rank == 0:

        def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
            if issubclass(category, KdbenchWarning):
                tell(str(message))

        warnings.showwarning = show
        heard = {"on_progress": tell, "on_epoch": lambda *epoch: tell(epoch)}
    bench = Bench(plugins(), cache, results, place.device(device), **heard)
    with building_with(bench.plugins):
        return outcome_at(place, spec, bench)


def outcome_at(place: Place, spec: RunSpec, bench: Bench) -> dict[str, Any]:
    """What a record says of the run. Ranks other than the first end when the training does, and say nothing."""
    dataset = bench.open(spec.dataset, spec.run_id)
    if spec.role == "reference":
        return _as_it_is(spec, bench, dataset)
    learned = learn(spec, bench, dataset, spec.run_id, place)
    if place.rank > 0:
        return {}
    student, trained = learned.student, learned.trained

    started = time.perf_counter()
    test = encode_split(dataset, student, "test")
    ranks = rank_split(student, test, Evaluate(**spec.evaluate).batch_size, bench.device)
    evaluate_seconds = time.perf_counter() - started
    path = record_path(bench.results, spec.suite, spec.run_id)
    ranked = _ranked(spec, bench, dataset, ranks)
    _keep_weights(student, spec, ranked["ranks_sha256"], bench)
    return ranked | {
        "validation": trained.validation,
        "best_epoch": trained.best_epoch,
        "steps": trained.steps,
        "weights": trained.weights,
        "dynamics": digest(trained.series),
        "series_sha256": write_series(path, published(trained.series)),
        "timings": {
            "teacher": round(sum(learned.encodings.values()), 3),
            "train": round(trained.seconds, 3),
            "strategy": round(trained.strategy_seconds, 3),
            "evaluate": round(evaluate_seconds, 3),
        },
        "encodings": learned.encodings,
        "peak_mb": learned.watch.peak_mb(),
    }


@dataclass(frozen=True)
class Learned:
    """A student at its best validation epoch, and what it took."""

    student: Student
    trained: Trained
    encodings: dict[str, float]  # seconds, by cache key
    watch: Watch  # of the memory, since the student was about to be built


def learn(spec: RunSpec, bench: Bench, dataset: CachedDataset, id: str, place: Place = ALONE) -> Learned:
    """Trains what a run trains. The test split is neither looked at nor encoded.

    `id` names the checkpoint, which is gone on from where there is one, and what is told of progress and epochs. With a `place`
    among several ranks it is that rank's share.
    """
    settings, evaluate = Train(**spec.train), Evaluate(**spec.evaluate)
    voices = [hear(teacher, dataset) for teacher in spec.team]
    encodings = _encodings(dataset)
    watch = Watch.begin(bench.device)

    torch.manual_seed(spec.seed)
    student: Student = build_planned("student", spec.student)
    data, validation = (encode_split(dataset, student, name) for name in ("train", "validation"))
    terms = [(term["coefficient"], build_planned("objective", term)) for term in spec.objective]
    team = Team(voices, terms, student.width, spec.seed, bench.device) if voices else None
    strategy: Strategy | None = build_planned("strategy", spec.strategy) if spec.strategy else None

    def on_step(step: int, steps: int, loss: float, weights: dict[str, float]) -> None:
        bench.on_progress(Progress(id, "train", step, steps, loss, weights))

    with place.joined(bench.device) as world:
        trained = train(
            student,
            data,
            validation,
            settings,
            evaluate,
            spec.seed,
            bench.device,
            team,
            strategy,
            checkpoint=bench.cache.scratch(id) / "checkpoint.safetensors",
            on_step=on_step,
            on_epoch=lambda epoch, metrics: bench.on_epoch(id, epoch, metrics),
            world=world,
        )
    return Learned(student, trained, encodings, watch)


def _as_it_is(spec: RunSpec, bench: Bench, dataset: CachedDataset) -> dict[str, Any]:
    """A reference: a teacher's own ranks, without any training of ours."""
    started = time.perf_counter()
    ranked = _ranked(spec, bench, dataset, rank_teacher(spec.student, dataset))
    encodings = _encodings(dataset)
    teacher_seconds = sum(encodings.values())
    evaluate_seconds = max(0.0, time.perf_counter() - started - teacher_seconds)
    timings = {"teacher": round(teacher_seconds, 3), "train": 0.0, "evaluate": round(evaluate_seconds, 3)}
    return ranked | {"timings": timings, "encodings": encodings}


def _encodings(dataset: CachedDataset) -> dict[str, float]:
    """Seconds that each thing in the cache took which has been asked for so far."""
    return {folder.name[:12]: round(seconds, 3) for folder, seconds in dataset.seconds.items()}


def _ranked(spec: RunSpec, bench: Bench, dataset: CachedDataset, ranks: Ranks) -> dict[str, Any]:
    """Writes the ranks of the test split, and what it shows; what a record says of them."""
    test = dataset.split("test")
    path = record_path(bench.results, spec.suite, spec.run_id)
    return {
        "metrics": ranks.metrics(Evaluate(**spec.evaluate).recall_at),
        "sizes": {
            "images": len(test.images),
            "captions": len(test.captions),
            "concepts": len(set(test.image_concepts.tolist())),
        },
        "dataset_digest": dataset.digest,
        "licence": dataset.source.licence,
        "ranks_sha256": write_ranks(path, ranks),
        "concepts_sha256": write_concepts(path, dataset.digest, test.image_concepts, test.caption_concepts),
    }


def _keep_weights(student: Student, spec: RunSpec, ranks_sha256: str, bench: Bench) -> None:
    """The trained student goes to the cache, from where it can be exported; records stay small.

    The ranks are part of its key: the weights found for a record are those that gave its figures.
    """

    finalize = getattr(student, "finalize", None)
    module = finalize() if finalize else student.module

    def make(folder: Path) -> None:
        save_weights(folder / "weights.safetensors", cast(nn.Module, module))

    bench.cache.entry("students", {"run_id": spec.run_id, "ranks": ranks_sha256}, make)


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
