"""The parts of a run (its plugins) as they were when it was executed: package, version, source, and the files they read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from kdbench.storage.digest import digest_of
from kdbench.suite.spec import Frozen, PluginSpec, RunSpec

PluginKind = Literal["task", "dataset", "student", "teacher", "objective", "strategy"]  # that a run has
FIRST_PARTY = "kdbench"  # its plugins change what they compute with their `Offer.version` only, which is part of run ids


class Part(Frozen):
    """One plugin. A digest that is empty, or None, is not known and differs from none."""

    package: str = ""
    version: str = ""  # of the package
    code: str = ""  # sha256 of its source
    content: str | None = None  # sha256 of the files that it reads; "" if it states that it reads none

    def difference(self, now: Part) -> str:
        """What of the part has changed, as a clause; "" if nothing has."""
        if self.content is not None and now.content is not None and self.content != now.content:
            return f"its files have changed (content {_short(self.content)} then, {_short(now.content)} now)"
        if FIRST_PARTY not in (self.package, now.package) and self.code and now.code and self.code != now.code:
            return f"the code of {now.package} has changed ({_short(self.code)} then, {_short(now.code)} now)"
        return ""


Parts = Mapping[str, Part]  # by role and label, such as `teacher RN50`


def differences(then: Parts, now: Parts) -> list[str]:
    """What has changed between two states of the same run or cell, one clause a part. Empty if one of them is not known."""
    pairs = ((name, part.difference(now[name])) for name, part in then.items() if name in now)
    return [f"{name}: {found}" for name, found in pairs if found]


def plugins_of(spec: RunSpec) -> Iterator[tuple[str, PluginKind, PluginSpec]]:
    """The name, kind and spec of every part of a run."""
    yield "task", "task", spec.task
    yield f"dataset {spec.dataset.name}", "dataset", spec.dataset
    if spec.trained_on is not None:
        yield "training task", "task", spec.trained_on.task
        yield f"trained on {spec.trained_on.dataset.name}", "dataset", spec.trained_on.dataset
    role: PluginKind = "teacher" if spec.reference else "student"
    yield f"{role} {spec.student.name}", role, spec.student
    yield from ((f"teacher {teacher.name}", "teacher", teacher) for teacher in spec.team)
    yield from ((f"objective {index} {term.name}", "objective", term) for index, term in enumerate(spec.objective))
    if spec.strategy:
        yield f"strategy {spec.strategy.name}", "strategy", spec.strategy
    for number, stage in enumerate(spec.stages, 1):
        terms = enumerate(stage.objective)
        yield from ((f"stage {number} objective {index} {term.name}", "objective", term) for index, term in terms)
        if stage.strategy:
            yield f"stage {number} strategy {stage.strategy.name}", "strategy", stage.strategy


def weights_identity(run_id: str, arrays_sha256: str, parts: Parts) -> dict[str, str]:
    """Identifies the trained student of a record in the cache: the one that was evaluated, by its code, on its files."""
    made = {"parts": digest_of({name: part.model_dump() for name, part in parts.items()})} if parts else {}
    return {"run_id": run_id, "ranks": arrays_sha256, **made}


def packages(parts: Iterable[Part]) -> dict[str, str]:
    """The versions of the packages by name, without those that state none."""
    return dict(sorted({part.package: part.version for part in parts if part.version}.items()))


def _short(digest: str) -> str:
    return digest[:8] or "none"
