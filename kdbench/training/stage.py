"""One stage of a training: its settings, the team under its objective, its strategy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kdbench.contracts import Strategy
from kdbench.suite.settings import Train
from kdbench.training.team import Team


@dataclass(frozen=True)
class Stage:
    """What the student learns by, from one step to another. Most trainings are one.

    Stages may share a team, whose heads then go on from where an earlier stage left them, and a strategy, which then
    remembers what it has learned. Batch size, precision, views and the like are those of the first stage.
    """

    settings: Train
    team: Team | None = None
    strategy: Strategy | None = None

    def state_dict(self) -> dict[str, Any]:
        """The state of its heads and its strategy for a checkpoint."""
        heads = self.team.heads.state_dict() if self.team else {}
        return {"heads": heads, "strategy": tell(self.strategy, "state_dict")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state from `state_dict`."""
        if self.team:
            self.team.heads.load_state_dict(state["heads"])
        tell(self.strategy, "load_state_dict", state["strategy"])


def tell(strategy: Strategy | None, method: str, *arguments: object) -> Any:
    """Calls one of a strategy's optional methods, if it has it."""
    return getattr(strategy, method)(*arguments) if hasattr(strategy, method) else None
