"""Whether a student and its ranks are on the device, in fp32 and bf16, what they are on a CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from kdbench.tasks.retrieval.embeddings import student_embeddings
from kdbench.tasks.retrieval.ranks import Ranks
from kdbench.training.precision import autocast
from kdbench_plugins.strategies.ammkd import Ammkd
from tests.gpu.learners import config, learner
from tests.support.emoji_learner import emoji_student, random_split


def measure(device: str, small: bool) -> dict[str, Any]:
    model, data = emoji_student(config(small)), random_split(32 if small else 1000)
    module: Any = model.module
    module.eval()
    images, texts = student_embeddings(model, data, 64, "cpu")
    ranks = Ranks.of(images, texts, data.image_concepts, data.caption_concepts).arrays
    module.to(device)
    found: dict[str, Any] = {}
    for precision in ("fp32", "bf16"):
        with torch.no_grad(), autocast(device, precision == "bf16"):
            own, other = student_embeddings(model, data, 64, device)
        theirs = Ranks.of(own, other, data.image_concepts, data.caption_concepts).arrays
        found[precision] = {
            "cosine_min": float(min((own * images).sum(1).min(), (other * texts).sum(1).min())),
            "ranks_equal": {name: float(np.mean(values == ranks[name])) for name, values in theirs.items()},
            "recall_at_10": {
                name: [float(np.mean(one <= 10)) for one in (ranks[name], values)] for name, values in theirs.items()
            },
        }
    return found | {"losses": losses(device, small)}


def losses(device: str, small: bool) -> dict[str, list[float]]:
    """The losses of four steps with three teachers under `ammkd`, on the CPU and on the device."""
    found = {}
    for name, where, precision in (("cpu", "cpu", "fp32"), ("fp32", device, "fp32"), ("bf16", device, "bf16")):
        one = learner(3, Ammkd(), where, small, precision=precision)
        results = [one.step(step).loss for step in range(4)]
        found[name] = torch.stack(results).tolist()
    return found
