"""How a hook offers a plugin, and how a parameter says that it holds another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

T_co = TypeVar("T_co", covariant=True)
Status = Literal["", "published", "reconstruction", "library"]


@dataclass(frozen=True)
class Offer(Generic[T_co]):
    """One plugin as a hook returns it.

    `name` is what a suite writes after `use:`. `build` takes keyword arguments only; its typed signature is the schema
    of the plugin's parameters, checked before anything is built. `summary` is one line for `kdbench plugins`.

    `check`, if given, takes the same arguments and raises KdbenchError for what types cannot express, such as a model name
    that does not exist; it may import anything, but must not download or write.

    `smoke(params) -> params` serves `kdbench run --smoke`: from checked parameters it derives others that follow the same
    code paths with nothing to download and next to nothing to compute. Without it they stay as they are.

    `task` names the task that a dataset poses, and that a teacher, student or objective can take part in; strategies,
    trackers and the like serve every task. `version` starts at 1 and is raised when a parameter's default, or the meaning
    of the same parameters, changes: it is part of run ids, which leave defaults out.

    The rest is documentation, also used by `kdbench conform`. `status` of a method: `published`, a `reconstruction` of a
    source that leaves something open (leaderboards mark it), or another `library`'s code. `example` holds parameters to
    show and to test with, required where some have no default. `waives` names properties of the conformance kit that do
    not apply, each with the reason.
    """

    name: str
    build: Callable[..., T_co]
    summary: str = ""
    check: Callable[..., None] | None = None
    formula: str = ""
    source: str = ""
    status: Status = ""
    example: Mapping[str, Any] = field(default_factory=dict, hash=False)
    waives: Mapping[str, str] = field(default_factory=dict, hash=False)
    smoke: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    task: str = "retrieval"
    version: int = 1


@dataclass(frozen=True)
class Uses:
    """Marks a parameter that holds another plugin's spec: `student: Annotated[dict[str, Any], Uses("student")]`."""

    kind: Literal["dataset", "teacher", "student", "objective", "strategy"]
