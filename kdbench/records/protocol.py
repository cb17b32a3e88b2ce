"""What makes rows comparable: everything except the teachers, their weighting, and the seed."""

from __future__ import annotations

import json
from functools import cached_property

from kdbench.records.record import Record
from kdbench.storage.digest import digest_of
from kdbench.suite.spec import Frozen, PluginSpec, Tuning


class Budget(Frozen):
    """The training budget in samples; none if nothing was trained."""

    epochs: int = 0
    steps: int = 0
    batch_size: int = 0

    def __str__(self) -> str:
        if not self.epochs:
            return "no training"
        epochs, steps = (
            f"{count} {name}{'s' if count != 1 else ''}" for count, name in ((self.epochs, "epoch"), (self.steps, "step"))
        )
        return f"{epochs}, {steps} of {self.batch_size} samples"


class Protocol(Frozen):
    """Two runs are comparable if these agree: dataset by content, split, task with its metrics, student, budgets, and the
    dataset trained on if it is another one.

    References train nothing and have neither a student nor a budget; they are shown beside rows with the same `evaluation`.
    """

    dataset: str  # its label; one content may have several
    dataset_digest: str
    split: str = "test"
    task: PluginSpec
    student: PluginSpec | None
    budget: Budget
    tuning: Tuning | None
    smoke: bool
    trained_on: PluginSpec | None = None

    @classmethod
    def of(cls, record: Record) -> Protocol:
        """The protocol of a finished run."""
        spec = record.spec
        train = spec.train
        budget = Budget(epochs=train.epochs, steps=record.steps or 0, batch_size=train.batch_size) if train else Budget()
        return cls(
            dataset=spec.dataset.name,
            dataset_digest=record.dataset_digest or "",
            task=spec.task,
            student=None if spec.reference else spec.student,
            budget=budget,
            tuning=spec.tuning,
            smoke=spec.smoke,
            trained_on=spec.trained_on.dataset if spec.trained_on else None,
        )

    @cached_property
    def id(self) -> str:
        """12 hexadecimal digits, equal for comparable protocols."""
        student = self.student.canonical if self.student else None
        budgets = [self.budget.model_dump(), self.tuning.model_dump() if self.tuning else None]
        trained_on = [self.trained_on.canonical] if self.trained_on else []  # which leaves ids of other protocols alone
        return digest_of([self.evaluation, student, *budgets, *trained_on])[:12]

    @cached_property
    def evaluation(self) -> str:
        """Equal for protocols that evaluate on the same split by the same task, with any student.

        A dataset is known by its content; only where a record has no digest, by its label.
        """
        return digest_of([self.dataset_digest or self.dataset, self.split, self.task.canonical, self.smoke])[:12]

    @property
    def parts(self) -> dict[str, str]:
        """The parts of the protocol in words, by name."""
        settings = ", ".join(f"{name} {json.dumps(value)}" for name, value in self.task.params.items())
        elsewhere = f", trained on {self.trained_on.name}" if self.trained_on else ""
        return {
            "dataset": f"{self.dataset} (digest {self.dataset_digest[:8]}){elsewhere}",
            "task": f"{self.task.use} ({settings})" if settings else self.task.use,
            "student": self.student.name if self.student else "teachers themselves",
            "student initialisation": json.dumps(self.student.canonical if self.student else None, sort_keys=True),
            "sample budget": str(self.budget),
            "tuning budget": f"{self.tuning.trials} trials on {self.tuning.split}" if self.tuning else "untuned",
        }
