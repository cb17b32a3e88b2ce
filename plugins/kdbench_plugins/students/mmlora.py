"""`mmlora`: towers are fine-tuned apart and frozen; low-rank additions are then trained for both together.

MMLoRA (Du et al., arXiv 2310.05193). There, towers of one modality each are fine-tuned by a classifier of their own. Retrieval
has no classifier: here each tower is fine-tuned against the other one, locked at its weights before (as in LiT, Zhai et al.,
CVPR 2022), so that what is put together is still one space. A **reconstruction** in this respect.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Any

from kdbench import KdbenchError, Offer, Student, TeacherData, Uses, build, hookimpl, nearest
from kdbench.training.patterns import closest
from kdbench_plugins.students.adapted import Adapted, Layers, Rank, Scale, chosen
from kdbench_plugins.students.clip_config import SMALL
from kdbench_plugins.teachers.recipe import BatchSize, Count, NotNegative, Positive, Share
from kdbench_plugins.teachers.trained import files_in


class MMLora(Adapted):
    """Fine-tunes each tower of `student` alone, freezes both, and then trains W + scale·B A for each weight W, as `lora`.

    `image` is a pattern of the names of the image tower's parameters; all others but the logit scale are the text tower's.
    Before a run, both towers are fine-tuned for `epochs` on the train split without distillation, each while the other one and
    the logit scale keep the weights of `student`. This is done once with `seed` and cached: all seeds of a suite start from the
    same two towers, and the epochs come on top of the suite's. `student` is one that was trained before, such as
    `warm_start`: otherwise the towers have no space in common.
    """

    name = "mmlora"

    def __init__(
        self,
        *,
        student: Annotated[dict[str, Any], Uses("student")],
        rank: Rank = 4,
        scale: Scale = 1.0,
        layers: Layers = ["*"],  # noqa: B006
        image: str = "clip.visual.*",
        epochs: Count = 20,
        batch_size: BatchSize = 256,
        lr: Positive = 5e-4,
        weight_decay: NotNegative = 0.1,
        warmup: Share = 0.1,
        clip_norm: Positive = 1.0,
        seed: int = 0,
    ) -> None:
        from kdbench_plugins.students.low_rank import Adapters, LowRank

        super().__init__(student)
        self.spec, self.image = student, image
        self.recipe: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "clip_norm": clip_norm,
            "seed": seed,
        }
        module: Any = self.module
        self._parameters = [name for name, _ in module.named_parameters()]
        self._scale = next(name for name, value in module.named_parameters() if value is module.logit_scale)
        if not any(closest(name, [image]) for name in self._parameters):
            raise KdbenchError(
                f"student mmlora: image: found {image!r}, which fits no parameter; expected a pattern of names of the image "
                f"tower's parameters. {nearest(image, self._parameters)}"
            )
        self.adapters = Adapters(module, chosen(self.name, module, layers), lambda weight: LowRank(weight, rank, scale))

    def prepare(self, data: TeacherData) -> None:
        """Puts the two towers together that were fine-tuned apart, in this call or before."""
        self.adapters.merge()  # nothing is added yet
        image = self._tuned(data, {"*": 0.0, self.image: 1.0})
        text = self._tuned(data, {self.image: 0.0, self._scale: 0.0})
        module: Any = self.module
        module.load_state_dict({name: (image if closest(name, [self.image]) else text)[name] for name in text})
        self.adapters.attach()

    def _tuned(self, data: TeacherData, lr_scale: dict[str, float]) -> dict[str, Any]:
        """The state of the student after it was trained with these factors of the learning rate."""
        design = json.dumps(["mmlora", self.spec, files_in(self.spec)], sort_keys=True)
        tuned: Any = data.fit(design, partial(build, "student", self.spec), self.recipe | {"lr_scale": lr_scale})
        state: dict[str, Any] = tuned.module.state_dict()
        return state


@hookimpl
def kdbench_students() -> list[Offer[Student]]:
    return [
        Offer(
            "mmlora",
            MMLora,
            "another student whose towers are fine-tuned apart, then frozen and joined by low-rank additions (MMLoRA)",
            formula="h = W₀ x + scale·B A x, W₀ of towers that were fine-tuned apart",
            latex=r"h = W_0 x + \mathrm{scale} \cdot B A x, \quad W_0 \text{ of towers that were fine-tuned apart}",
            source="MMLoRA, Du et al., arXiv 2310.05193; locked towers of LiT, Zhai et al., CVPR 2022",
            status="reconstruction",
            example={"student": {"use": "openclip", "config": SMALL}},
            smoke=lambda params: params | {"epochs": 1},
        )
    ]
