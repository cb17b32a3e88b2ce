"""The quickstart's student in training on a device."""

from __future__ import annotations

from typing import Any

from kdbench import Strategy
from kdbench.training.learner import Learner
from tests.support.emoji_learner import emoji_config, emoji_learner

PAIRS = 1024
SMALL_PAIRS, SMALL_BATCH = 32, 16


def config(small: bool) -> dict[str, Any]:
    """That of suites/emoji.yaml, or one with a tiny text tower."""
    given = emoji_config()
    return given | {"text_cfg": given["text_cfg"] | {"layers": 1, "width": 32, "heads": 1}} if small else given


def learner(teachers: int, strategy: Strategy | None, device: str, small: bool, **settings: Any) -> Learner:
    """A training of 1000 epochs; `settings` change those of suites/emoji.yaml."""
    if small:
        settings |= {"batch_size": SMALL_BATCH}
    pairs = SMALL_PAIRS if small else PAIRS
    return emoji_learner(teachers, strategy, config=config(small), pairs=pairs, device=device, **settings)
