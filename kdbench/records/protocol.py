"""What makes rows comparable: everything except the teachers, their weighting, the seed and the fold."""

from __future__ import annotations

import json
from functools import cached_property

from kdbench.errors import counted
from kdbench.records.record import Record
from kdbench.storage.digest import digest_of
from kdbench.suite.race import RaceDesign
from kdbench.suite.spec import Frozen, PluginSpec, Tuning


class Budget(Frozen):
    """The training budget in samples; none if nothing was trained. `steps` is 0 where folds differ in it."""

    epochs: int = 0
    steps: int = 0
    batch_size: int = 0

    def __str__(self) -> str:
        if not self.epochs:
            return "no training"
        epochs, steps = (
            f"{count} {name}{'s' if count != 1 else ''}" for count, name in ((self.epochs, "epoch"), (self.steps, "step"))
        )
        return f"{epochs}, {steps if self.steps else 'steps'} of {self.batch_size} samples"


class Protocol(Frozen):
    """Two runs are comparable if these agree: dataset by content, split, task with its metrics, student, budgets, the dataset
    trained on if it is another one, the regime, and how differences are tested: by a race or not, with which margin.

    References train nothing and have neither a student nor a budget; they are shown beside rows with the same `evaluation`.
    """

    dataset: str  # its label; one content may have several
    dataset_digest: str
    split: str = "test"  # or how many folds are tested in turn, all of which share one protocol
    task: PluginSpec
    student: PluginSpec | None
    budget: Budget
    tuning: Tuning | None
    smoke: bool
    trained_on: PluginSpec | None = None
    regime: str = ""
    race: RaceDesign | None = None
    margin: float | None = None  # None: that of the metric

    @classmethod
    def of(cls, record: Record) -> Protocol:
        """The protocol of a finished run."""
        spec = record.spec
        train = spec.train
        # Folds differ in their size by few items, and so in their steps.
        steps = 0 if spec.fold else record.steps or 0
        budget = Budget(epochs=spec.epochs, steps=steps, batch_size=train.batch_size) if train else Budget()
        return cls(
            dataset=spec.dataset.name,
            dataset_digest=record.dataset_digest or "",
            split=f"{spec.fold.of} folds" if spec.fold else "test",
            task=spec.task,
            student=None if spec.reference else spec.student,
            budget=budget,
            tuning=spec.tuning,
            smoke=spec.smoke,
            trained_on=spec.trained_on.dataset if spec.trained_on else None,
            regime=spec.variant if spec.regime else "",
            race=spec.race,
            margin=spec.evaluate.margin,
        )

    @property
    def raced(self) -> RaceDesign | None:
        """The design that its tests follow. Further datasets have the seeds that a race gave to others, and one test."""
        return None if self.trained_on else self.race

    @cached_property
    def id(self) -> str:
        """12 hexadecimal digits, equal for comparable protocols."""
        student = self.student.canonical if self.student else None
        budgets = [self.budget.model_dump(), self.tuning.model_dump() if self.tuning else None]
        trained_on = [self.trained_on.canonical] if self.trained_on else []  # which leaves ids of other protocols alone
        return digest_of([self.evaluation, student, *budgets, *trained_on, *self._later])[:12]

    @property
    def _later(self) -> list[object]:
        """What protocols have gained since: nothing where it has its default, which leaves ids alone."""
        gained = {"regime": self.regime, "race": self.race.model_dump() if self.race else None, "margin": self.margin}
        stated = {name: value for name, value in gained.items() if value}
        return [stated] if stated else []

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
        folds = f", {self.split}" if self.split != "test" else ""
        elsewhere = f", trained on {self.trained_on.name}" if self.trained_on else ""
        return {
            "dataset": f"{self.dataset} (digest {self.dataset_digest[:8]}){folds}{elsewhere}",
            "task": f"{self.task.use} ({settings})" if settings else self.task.use,
            "student": self.student.name if self.student else "teachers themselves",
            "student initialisation": json.dumps(self.student.canonical if self.student else None, sort_keys=True),
            **({"regime": self.regime} if self.regime else {}),
            "sample budget": str(self.budget),
            "tuning budget": f"{counted(self.tuning.trials, 'trial')} on {self.tuning.split}" if self.tuning else "untuned",
            **({"race": str(self.race)} if self.race else {}),
            **({"margin": f"{self.margin:g}"} if self.margin else {}),
        }
