"""The teacher `online_adapter` (OKD): a frozen teacher with a small part that learns beside the student.

A reconstruction of Online Knowledge Distillation (Rao et al., arXiv 2409.12512), where "the teacher network integrates small
online modules to concurrently train with the student"; there the teacher is a language model. Which modules, where, and the
weight of their terms are this file's choice: LoRA (Hu et al. 2021) on every linear map of the towers' trained modules.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from kdbench import Batch, Encoder, KdbenchError, Offer, Pairs, Teacher, TeacherData, Towers, Uses, hookimpl
from kdbench_plugins.students.clip_config import SMALL
from kdbench_plugins.teachers.recipe import Count, NotNegative, Positive
from kdbench_plugins.teachers.tower import Tower, settled
from kdbench_plugins.teachers.wrapped import Wrapped, refuse_lacking

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1  # raise when the same parameters give another adapter


class OnlineAdapter(Wrapped):
    """`teacher` with low-rank factors of `rank` on its linear maps, scaled by `scale`, which learn beside the student.

    In every step the student learns from the teacher as it is, and the factors from CE + `gamma`·KL(student ‖ teacher), by Adam
    at the learning rate `rate`. The teacher starts as `teacher` is, and its own weights stay; at a rate of 0 runs are those of
    `teacher`. What it reads is stored: the outputs of its towers' bases, such as the features of frozen backbones.

    Raises KdbenchError if a tower of `teacher` is no trained module over such a base, as `backbones` and `trained` have.
    """

    def __init__(
        self,
        *,
        teacher: Annotated[dict[str, Any], Uses("teacher")],
        rank: Count = 4,
        scale: Positive = 1.0,
        rate: NotNegative = 1e-3,
        gamma: NotNegative = 1.0,
    ) -> None:
        super().__init__(teacher)
        self.rank, self.scale, self.rate, self.gamma = rank, scale, rate, gamma

    def towers(self, data: TeacherData) -> Towers:
        towers = self.inner(data)
        image, text = (self._tower(tower) for tower in (towers.image, towers.text))
        return replace(towers, live=Adapter(image, text, self.rank, self.scale, self.rate, self.gamma))

    def _tower(self, tower: Encoder) -> Tower:
        if not isinstance(tower, Tower):
            raise KdbenchError(
                f"teacher online_adapter: found the teacher {self.teacher['use']}, whose {tower.modality} tower is no trained "
                "module over stored features; expected one such as backbones or trained"
            )
        return tower


class Adapter:
    """The factors of one run. Implements `LivePart`; its change of an embedding is that of the towers' modules."""

    def __init__(self, image: Tower, text: Tower, rank: int, scale: float, rate: float, gamma: float) -> None:
        assert image.base is not None
        assert text.base is not None
        self.images: Encoder = image.base
        self.texts: Encoder = text.base
        self.image, self.text = image, text
        self.rank, self.scale, self.rate, self.gamma = rank, scale, rate, gamma
        identity = f"online_adapter-{FORMAT}|{image.key}|{text.key}|{rank}|{scale}|{rate}|{gamma}"
        self.key = hashlib.sha256(identity.encode()).hexdigest()

    def begin(self, device: str) -> None:
        from kdbench_plugins.teachers.low_rank import LowRank, optimizer_of

        self.modules = {"encode_image": self.image.module, "encode_text": self.text.module}
        distinct = {id(module): module for module in self.modules.values()}  # both towers of a model are one module
        self.factors = {key: LowRank(settled(module, device), self.rank, self.scale) for key, module in distinct.items()}
        for factors in self.factors.values():
            factors.to(device)
        self.optimizers = [optimizer_of(factors, self.rate) for factors in self.factors.values()]

    def changes(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        changed = {id(module): self.factors[id(module)].changed(module) for module in self.modules.values()}
        return self._change("encode_image", images, changed), self._change("encode_text", texts, changed)

    def _change(self, method: str, inputs: Tensor, changed: dict[int, dict[str, Tensor]]) -> Tensor:
        import torch

        from kdbench_plugins.teachers.low_rank import Encoding

        module = self.modules[method]
        encoding = Encoding(module)
        with torch.no_grad():
            base = encoding(method, inputs)
        found: Tensor = encoding.with_weights(changed[id(module)], method, inputs) - base
        return found

    def step(self, own: Pairs, student: Pairs, batch: Batch) -> None:
        from kdbench_plugins.teachers.low_rank import adapter_loss

        for optimizer in self.optimizers:
            optimizer.zero_grad()
        adapter_loss(own, student, batch, self.gamma).backward()  # type: ignore[no-untyped-call]
        for optimizer in self.optimizers:
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        return {
            "factors": [factors.state_dict() for factors in self.factors.values()],
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for factors, its in zip(self.factors.values(), state["factors"], strict=True):
            factors.load_state_dict(its)
        for optimizer, its in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(its)


def check(*, teacher: dict[str, Any], **_: object) -> None:
    """Raises KdbenchError if the teacher lacks a tower."""
    refuse_lacking("online_adapter", ("image", "text"), teacher)


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [
        Offer(
            "online_adapter",
            OnlineAdapter,
            "another teacher with low-rank factors that learn beside the student (OKD)",
            check,
            formula="p = norm(z + f(x; W + s·B·A) − f(x; W)), B₀ = 0; min_{A, B} CE(p) + γ·KL(q ‖ p)",
            latex=(
                r"p = \mathrm{norm}(z + f(x; W + s B A) - f(x; W)), \quad B_0 = 0; \quad "
                r"\min_{A, B} \mathrm{CE}(p) + \gamma \, \mathrm{KL}(q \,\|\, p)"
            ),
            source="OKD, Rao et al., arXiv 2409.12512; LoRA, Hu et al. 2021",
            status="reconstruction",
            example={"teacher": {"use": "trained", "student": {"use": "openclip", "config": SMALL}, "epochs": 1}},
        )
    ]
