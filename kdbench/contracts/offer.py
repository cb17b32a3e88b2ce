"""How a hook offers a plugin, and how a parameter is marked as holding another plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

T_co = TypeVar("T_co", covariant=True)
Status = Literal["", "published", "reconstruction", "library"]


@dataclass(frozen=True)
class Offer(Generic[T_co]):
    """One plugin, as a hook returns it.

    `name` is what a suite writes after `use:`. `build` takes keyword arguments only; its typed signature is the schema
    of the plugin's parameters, checked before anything is built. `summary` is one line for `kdbench plugins`.

    `check`, if given, takes the same arguments and raises KdbenchError for errors that types cannot express, such as a model
    name that does not exist. It may import anything, but must not download or write.

    `reads`, if given, takes the same arguments and returns the files and folders that the plugin reads, in an order that
    follows from the parameters and from what it reads. A run's record holds a digest of their contents: the run is not taken
    for recorded once they have changed. Without it, they are the files and folders that the parameters name: each `Path`, and
    each text that is written as one, such as `data/train` or `weights.pt`. Plugins in parameters marked with `Uses` answer for
    themselves.

    `smoke(params) -> params` is called for `kdbench run --smoke`. It turns checked parameters into ones that take the same
    code paths, download nothing and compute next to nothing. Without it, the parameters are used unchanged.

    `task` is the task that a dataset, teacher, student or objective is for, `also` are further tasks that an objective serves;
    strategies, trackers and other kinds work with every task. `version` starts at 1; raise it when a parameter's default or the
    meaning of the parameters changes, because run ids contain the version but leave out parameters at their default.

    The other fields are documentation, also used by `kdbench conform`. `formula` is plain text, for terminals; `latex` the same
    in LaTeX, which web pages show as MathML. `status` of a method is `published`, `reconstruction` (its source leaves details
    open; leaderboards mark it) or `library` (another library's code). `example` holds parameters to show and to test with, in
    which teachers are called teacher0, teacher1, …; required if a parameter has no default. `shown`, if given, is shown in its
    place, such as where the example is a miniature for tests. `waives` maps properties of the conformance kit that do not apply
    to the reason.
    """

    name: str
    build: Callable[..., T_co]
    summary: str = ""
    check: Callable[..., None] | None = None
    reads: Callable[..., Iterable[Path]] | None = field(default=None, kw_only=True)
    formula: str = ""
    latex: str = field(default="", kw_only=True)
    source: str = ""
    status: Status = ""
    example: Mapping[str, Any] = field(default_factory=dict, hash=False)
    shown: Mapping[str, Any] = field(default_factory=dict, hash=False, kw_only=True)
    waives: Mapping[str, str] = field(default_factory=dict, hash=False)
    smoke: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    task: str = "retrieval"
    also: tuple[str, ...] = field(default=(), kw_only=True)
    version: int = 1


@dataclass(frozen=True)
class Uses:
    """Marks a parameter that holds another plugin's spec: `student: Annotated[dict[str, Any], Uses("student")]`.

    With `several`, it holds a map or a list of specs: `Annotated[list[dict[str, Any]], Uses("objective", several=True)]`. Their
    parameters at their default are left out of what the plugin is given. Specs of objectives may have a `coefficient`.
    """

    kind: Literal["dataset", "teacher", "student", "objective", "strategy"]
    several: bool = False
