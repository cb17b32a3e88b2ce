"""The student `layer_pruned`: cut from a teacher that is trained here, and from a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from kdbench import Batch, KdbenchError, Pairs, Teacher, build
from kdbench.plugins.building import building_with
from kdbench.plugins.parameters import check_deeper
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.openclip import hushed, import_open_clip
from kdbench_plugins.students.layer_pruned import LayerPruned, kdbench_students, smoke
from kdbench_plugins.teachers import openclip as openclip_teacher
from tests.support.clip_folders import CONFIG, changed, clip_folder
from tests.support.derived import check_resumed, context_of, run_twice, spec_of
from tests.support.export_runs import Trained
from tests.support.toys import cached, plugged, term

CLIP = {"use": "openclip", "config": CONFIG}
TEACHER = {"use": "trained", "student": CLIP, "epochs": 1, "batch_size": 16}
[OFFER] = kdbench_students()


@pytest.fixture(scope="module", autouse=True)
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    found = context_of(tmp_path_factory.mktemp("plugins"), kdbench_students()).plugins
    found.register(openclip_teacher, "kdbench:openclip-teacher")
    with building_with(found):
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DatasetTeacherData:
    return DatasetTeacherData(Retrieval(), cached(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def whole(data: DatasetTeacherData) -> Any:
    """The module of the trained teacher."""
    tower: Any = build("teacher", TEACHER).towers(data).image
    return tower.module


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Trained]:
    """PUMA's objective in small, by the teacher that the student was cut from."""
    student = plugged("layer_pruned", teacher=TEACHER, image=1, text=1)
    teacher = plugged("trained", "whole", **{name: value for name, value in TEACHER.items() if name != "use"})
    spec = spec_of(student, team=[teacher], objective=(term("relational_kl"), term("feature")))
    return run_twice(tmp_path_factory.mktemp("runs"), spec, kdbench_students())


def state(student: LayerPruned) -> dict[str, torch.Tensor]:
    module: Any = student.module
    return dict(module.state_dict())


@pytest.mark.parametrize(("image", "text"), [(1, 1), (1, None), (None, 1)])
def test_what_is_kept_is_the_teachers_to_the_last_bit(image: int | None, text: int | None, data: Any, whole: Any) -> None:
    student = LayerPruned(teacher=TEACHER, image=image, text=text)
    student.prepare(data)
    own, expected = state(student), whole.state_dict()
    assert all(torch.equal(own[name], expected[name]) for name in own)
    dropped = {".".join(name.split(".")[:-2]) for name in expected.keys() - own.keys() if "ln_1" in name}
    assert dropped == {
        f"clip.{tower}transformer.resblocks.1" for tower, count in (("visual.", image), ("", text)) if count is not None
    }
    assert all(parameter.requires_grad for parameter in student.module.parameters())  # type: ignore[attr-defined]


def test_with_all_layers_it_is_the_teacher_and_has_no_loss(data: Any, whole: Any) -> None:
    student = LayerPruned(teacher=TEACHER, image=2, text=2)
    student.prepare(data)
    module: Any = student.module
    images, texts = (torch.from_numpy(data.encode(encoder, "train")[:8].copy()) for encoder in (student.images, student.texts))
    module.eval()
    with torch.no_grad():
        found, expected = (
            Pairs(each.encode_image(images), each.encode_text(texts), each.logit_scale.exp()) for each in (module, whole)
        )
    assert torch.equal(found.image, expected.image)
    assert torch.equal(found.text, expected.text)
    indices = torch.arange(8)
    objective: Any = Feature(head="none")
    losses = objective.losses(found, expected, objective.head(16, 16), Batch(indices, indices, indices // 2, 0.5))
    assert float(losses.max()) < 1e-12  # which is the rounding of normalising again


def test_a_checkpoint(tmp_path: Path) -> None:
    """The embeddings of all layers are those of the teacher itself; with fewer, what is kept has its weights."""
    name = clip_folder(tmp_path / "clip", CONFIG)
    teacher = {"use": "openclip", "model": name}
    with hushed():
        whole = import_open_clip().create_model(name)
    built: Teacher = build("teacher", teacher)
    student, cut = LayerPruned(teacher=teacher), LayerPruned(teacher=teacher, text=1)
    student.prepare(None)  # type: ignore[arg-type]  # nothing is read
    expected = {f"clip.{name}": value for name, value in whole.state_dict().items()}
    assert all(torch.equal(value, expected[name]) for name, value in state(student).items())
    assert all(torch.equal(value, expected[name]) for name, value in state(cut).items())
    assert (len(state(student)), len(state(cut))) == (len(expected), len(expected) - 12)
    pictures = torch.randint(0, 256, (3, 40, 40, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8).numpy()
    towers, module = built.towers(None), student.module  # type: ignore[arg-type]
    for encoder, reads, encode, items in (
        (towers.image, student.images, module.encode_image, pictures),
        (towers.text, student.texts, module.encode_text, ["a cat", "two red dogs"]),
    ):
        torch.testing.assert_close(encode(reads.encode(items, "cpu")), encoder.encode(items, "cpu"), rtol=0, atol=1e-5)


def test_a_run_resumes_bit_for_bit(runs: tuple[Trained, Trained]) -> None:
    check_resumed(*runs)
    assert runs[0].record.reconstructions == ["layer_pruned"]
    assert runs[0].record.encodings.keys() == runs[1].record.encodings.keys()


def test_a_tower_of_timm_is_cut_and_not_described() -> None:
    vision = {"timm_model_name": "test_vit", "timm_pool": "avg", "timm_proj": "linear", "image_size": 32}
    teacher = TEACHER | {"student": {"use": "openclip", "config": CONFIG | {"vision_cfg": vision}}}
    student: Any = LayerPruned(teacher=teacher, image=2, text=1)
    assert len(student.module.clip.visual.trunk.blocks) == 2
    assert student.module.encode_image(torch.zeros(2, 32, 32, 3, dtype=torch.uint8)).shape == (2, 16)
    assert LayerPruned(teacher=teacher, text=1).open_clip()[0]["model_cfg"]["text_cfg"]["layers"] == 1
    with pytest.raises(KdbenchError, match="found an image tower of timm with fewer layers; expected one of open_clip's own"):
        student.open_clip()


RESNET = {"timm_model_name": "test_resnet", "timm_pool": "avg", "timm_proj": "linear", "image_size": 32}


@pytest.mark.parametrize(
    ("teacher", "layers", "message"),
    [
        ({"use": "backbones"}, {}, "teacher.use: found 'backbones'; expected a teacher that is one open_clip model"),
        (TEACHER | {"student": {"use": "toy"}}, {}, "teacher.student.use: found 'toy'; expected the student openclip"),
        (TEACHER, {"image": 3}, "image: found 3; expected at most 2, the layers of the teacher's image tower"),
        (TEACHER, {"text": 5}, "text: found 5; expected at most 2, the layers of the teacher's text tower"),
        (
            TEACHER | {"student": {"use": "openclip", "config": changed(CONFIG, ("vision_cfg",), RESNET)}},
            {"image": 1},
            "image: found 1; expected null: the image tower, ResNet, is no stack of equal transformer blocks",
        ),
    ],
)
def test_what_cannot_be_cut(teacher: dict[str, Any], layers: dict[str, int], message: str) -> None:
    with pytest.raises(KdbenchError, match=message):
        check_deeper(OFFER, {"teacher": teacher} | layers)
    with pytest.raises(KdbenchError, match=message):
        LayerPruned(teacher=teacher, **layers)


def test_a_named_model_is_checked_without_its_weights() -> None:
    teacher = {"use": "openclip", "model": "ViT-B-16", "pretrained": "openai"}
    with pytest.raises(KdbenchError, match="image: found 13; expected at most 12"):
        check_deeper(OFFER, {"teacher": teacher, "image": 13})


def test_in_a_smoke_run_one_layer_is_left() -> None:
    assert smoke({"teacher": TEACHER, "image": 4, "text": None}) == {"teacher": TEACHER, "image": 1, "text": None}
