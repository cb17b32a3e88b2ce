"""A third party's exporter, for students of any task: a state dict of PyTorch."""

from __future__ import annotations

from typing import Any

import torch

from kdbench import ExportContext, Exported, ExportedModel, Exporter, KdbenchError, ModelCard, Offer, hookimpl

FILE = "model.pt"


class StateDict:
    """`noise` is added to the weights that are loaded again: a format that does not keep them."""

    def __init__(self, *, noise: float = 0.0) -> None:
        self.noise = noise

    def check(self, student: Any, name: str) -> None:
        if not isinstance(student.module, torch.nn.Module):
            raise KdbenchError(f"the student {name!r} has no module")

    def export(self, student: Any, context: ExportContext) -> Exported:
        state = student.module.state_dict()
        torch.save(state, context.folder / FILE)
        loaded = torch.load(context.folder / FILE, weights_only=True)
        difference = max(float((loaded[name] - value).abs().max()) for name, value in state.items()) + self.noise
        student.module.load_state_dict(loaded)
        card = ModelCard("torch", f'`torch.load("{FILE}")`', tags=("state-dict",))
        return Exported([ExportedModel(student, context.encoded, difference)], card, {"file": FILE}, ("torch",))


@hookimpl
def kdbench_exporters() -> list[Offer[Exporter]]:
    return [Offer("state_dict", StateDict, "a state dict of PyTorch", task="")]
