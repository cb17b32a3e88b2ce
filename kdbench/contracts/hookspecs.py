"""The hooks. A plugin is a module, listed in the entry-point group `kdbench`, that implements any of them.

Hooks that offer plugins return values and change nothing. Keep the module cheap to import: import torch where it is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from kdbench.contracts import (
    Attribution,
    Dataset,
    Engine,
    Exporter,
    Objective,
    Offer,
    Progress,
    Report,
    Strategy,
    Student,
    Task,
    Teacher,
    Tracker,
)

if TYPE_CHECKING:
    from kdbench.contracts import ExposingTeacher, Taps
    from kdbench.contracts.values import Owned

hookspec = pluggy.HookspecMarker("kdbench")
hookimpl = pluggy.HookimplMarker("kdbench")


@hookspec
def kdbench_tasks() -> Iterable[Offer[Task]]:  # type: ignore[empty-body]
    """Offer tasks, which define batches, outputs, losses and metrics. A dataset names its task in `Offer.task`.

    Example::

        class Regression(kdbench.Task):
            name = "regression"
            ...

        @hookimpl
        def kdbench_tasks():
            return [Offer("regression", Regression, "vectors to vectors, squared error")]
    """


@hookspec
def kdbench_datasets() -> Iterable[Offer[Dataset]]:  # type: ignore[empty-body]
    """Offer datasets.

    Example::

        @hookimpl
        def kdbench_datasets():
            return [Offer("flowers", Flowers, "1,000 flowers with five captions each")]
    """


@hookspec
def kdbench_teachers() -> Iterable[Offer[Teacher]]:  # type: ignore[empty-body]
    """Offer teachers.

    Example::

        def siglip(*, checkpoint: str, precision: Literal["fp32", "bf16"] = "fp32") -> Teacher: ...

        @hookimpl
        def kdbench_teachers():
            return [Offer("siglip", siglip, "SigLIP from a local checkpoint")]
    """


@hookspec
def kdbench_students() -> Iterable[Offer[Student]]:  # type: ignore[empty-body]
    """Offer students.

    Example::

        def tiny(*, width: int = 128) -> Student: ...

        @hookimpl
        def kdbench_students():
            return [Offer("tiny", tiny, "Two small towers")]
    """


@hookspec
def kdbench_objectives() -> Iterable[Offer[Objective]]:  # type: ignore[empty-body]
    """Offer objectives: distillation losses between the student and one teacher.

    Example::

        class Cosine:
            def head(self, student_width, teacher_width):
                return torch.nn.Linear(student_width, teacher_width)

            def losses(self, student, teacher, head, batch):
                return 1 - torch.nn.functional.cosine_similarity(head(student.image), teacher.image)

        @hookimpl
        def kdbench_objectives():
            return [Offer("cosine", Cosine, "1 − cosine of projected image embeddings")]
    """


@hookspec
def kdbench_strategies() -> Iterable[Offer[Strategy]]:  # type: ignore[empty-body]
    """Offer strategies: how teachers are weighted.

    Example::

        class Loudest:
            def weigh(self, signal):
                losses = signal.losses.mean(1)
                return (losses == losses.max()).float() / (losses == losses.max()).sum()

        @hookimpl
        def kdbench_strategies():
            return [Offer("loudest", Loudest, "all weight on the teacher with the largest loss")]
    """


@hookspec
def kdbench_trackers() -> Iterable[Offer[Tracker]]:  # type: ignore[empty-body]
    """Offer trackers: objects that implement any of the hooks below, called during `kdbench run --track NAME`.

    If the plugin's module itself implements those hooks, they are called in every run.

    Example::

        class Bell:
            @hookimpl
            def kdbench_run_finished(self, run_id, record):
                print("\\a")

        @hookimpl
        def kdbench_trackers():
            return [Offer("bell", Bell, "rings when a run ends")]
    """


@hookspec
def kdbench_engines() -> Iterable[Offer[Engine]]:  # type: ignore[empty-body]
    """Offer engines: where runs and studies execute. The builder's parameters are the engine's options.

    Example::

        class Here:
            def execute(self, work, site, on_event):
                executor = Executor(site, lambda event: on_event(current, event))
                for current in work:
                    on_event(current, Started())
                    executor.execute(current)

        @hookimpl
        def kdbench_engines():
            return [Offer("here", Here, "in this process, one run after another")]
    """


@hookspec
def kdbench_exporters() -> Iterable[Offer[Exporter]]:  # type: ignore[empty-body]
    """Offer exporters: formats in which `kdbench export` writes a trained student.

    Example::

        class StateDict:
            def check(self, student, name):
                pass

            def export(self, student, context):
                torch.save(student.module.state_dict(), context.folder / "model.pt")
                student.module.load_state_dict(torch.load(context.folder / "model.pt"))
                return Exported([ExportedModel(student, context.encoded)])

        @hookimpl
        def kdbench_exporters():
            return [Offer("state_dict", StateDict, "a state dict of PyTorch")]
    """


@hookspec
def kdbench_reports() -> Iterable[Offer[Report]]:  # type: ignore[empty-body]
    """Offer reports: what `kdbench leaderboard` can write from records, such as a site, figures or CSV.

    Example::

        class Best:
            def write(self, material, target):
                lines = [f"{table.title}: {table.rows[0].name}" for table in material.board.tables if table.rows]
                target.write_text("\\n".join(lines))
                return [target]

        @hookimpl
        def kdbench_reports():
            return [Offer("best", Best, "the best row of each table")]
    """


@hookspec
def kdbench_attributions() -> Iterable[Offer[Attribution]]:  # type: ignore[empty-body]
    """Offer attributions: methods that divide a team's gain among its teachers.

    Example::

        class Alone:
            label = "alone"

            def divide(self, values, teachers):
                return {name: values[frozenset([name])] - values[frozenset()] for name in teachers}

        @hookimpl
        def kdbench_attributions():
            return [Offer("alone", Alone, "what each teacher gains alone")]
    """


@hookspec(firstresult=True)
def kdbench_taps(student: Owned) -> Taps | None:
    """Say where internals of a student are read whose own plugin does not (`Student.taps`); None for other students.

    Example::

        @hookimpl
        def kdbench_taps(student):
            return {"maps": [Tap(student.module.stem)]} if isinstance(student, Flowers) else None
    """


@hookspec(firstresult=True)
def kdbench_exposing_teacher(teacher: Owned) -> ExposingTeacher | None:
    """Say how internals of a teacher are read whose own plugin does not; None for other teachers. Must not prepare it.

    Example::

        @hookimpl
        def kdbench_exposing_teacher(teacher):
            return FlowersModel(teacher) if isinstance(teacher, FlowersTeacher) else None
    """


@hookspec
def kdbench_run_started(run_id: str, spec: object) -> None:
    """Called when a run begins; `spec` is its `kdbench.suite.spec.RunSpec`. For trackers.

    Example::

        @hookimpl
        def kdbench_run_started(run_id, spec):
            wandb.init(project=spec.suite, name=run_id, config=spec.model_dump(mode="json"))
    """


@hookspec
def kdbench_progress(progress: Progress) -> None:
    """Called about twice a second with the stage, step, loss and teacher weights of a run. For displays.

    Example::

        @hookimpl
        def kdbench_progress(progress):
            print(progress.run_id, progress.stage, progress.done, progress.total)
    """


@hookspec
def kdbench_epoch_finished(run_id: str, epoch: int, metrics: dict[str, float]) -> None:
    """Called after each epoch; `metrics` holds the mean loss, the mean weights and, if measured, validation metrics.

    Example::

        @hookimpl
        def kdbench_epoch_finished(run_id, epoch, metrics):
            wandb.log(metrics, step=epoch)
    """


@hookspec
def kdbench_run_finished(run_id: str, record: object) -> None:
    """Called when a run has ended, with any status; `record` is the `kdbench.records.record.Record` that was written.

    Example::

        @hookimpl
        def kdbench_run_finished(run_id, record):
            wandb.summary.update(record.metrics)
    """
