"""A teacher with a part that is computed in every step: what it adds, of which features, and what it must return."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kdbench import Encoder, PluginError, TeacherData, Towers
from kdbench.suite.settings import Views
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.live import LiveEmbeddings, MovingEmbeddings
from kdbench.tasks.retrieval.teachers import teach
from kdbench.training.team import Team, TeamTeacher
from tests.support.toys import Projection, Sage, batch_of, cached

WIDTH = 12


class Part:
    """Adds the features of the pair, times a factor: an image's features to its text and the reverse."""

    key = "part"

    def __init__(self, factor: float, width: int = WIDTH) -> None:
        self.images: Encoder = Projection("image", width, 5)
        self.texts: Encoder = Projection("text", width, 6)
        self.factor = factor
        self.begun: list[float] = []

    def begin(self, device: str) -> None:  # noqa: ARG002
        self.begun.append(float(torch.rand(())))

    def changes(self, images: Tensor, texts: Tensor) -> Any:
        return self.factor * texts, self.factor * images


class Composed(Sage):
    def __init__(self, part: Any) -> None:
        super().__init__(width=WIDTH)
        self.part = part

    def towers(self, data: TeacherData) -> Towers:
        return replace(super().towers(data), live=self.part)


BATCH = batch_of(torch.arange(4))


def test_without_a_change_it_is_what_is_stored(tmp_path: Path) -> None:
    data = cached(tmp_path)
    live, plain = teach(data, Composed(Part(0.0)), Retrieval()), teach(data, Sage(width=WIDTH), Retrieval())
    assert type(live) is LiveEmbeddings
    for own, base in zip(live.outputs(BATCH, "cpu").tensors, plain.outputs(BATCH, "cpu").tensors, strict=True):
        assert torch.equal(own, base)
    assert live.width == plain.width
    assert live.key != plain.key


def test_what_is_added_sees_both_of_a_pair(tmp_path: Path) -> None:
    data = cached(tmp_path)
    live: Any = teach(data, Composed(Part(0.5)), Retrieval())
    rows, captions = live.stored.image[:4], data.encode(Projection("text", WIDTH, 6), "train")[:4]
    expected = torch.from_numpy(rows).float() + 0.5 * torch.from_numpy(captions.copy()).float()
    found = live.outputs(BATCH, "cpu")
    torch.testing.assert_close(found.image, torch.nn.functional.normalize(expected, dim=1))
    assert found.bank is None


def test_views_of_both_are_read(tmp_path: Path) -> None:
    data = cached(tmp_path).viewed(Views(count=2, crop=[0.5, 0.9]))
    live: Any = teach(data, Composed(Part(0.5)), Retrieval())
    assert live.inputs.images.views.shape == (2 * 32, WIDTH)
    images, texts = live.inputs.read(replace(BATCH, views=torch.tensor([0, 1, 1, 0]).numpy()), "cpu")
    assert torch.equal(images[1], torch.from_numpy(live.inputs.images.views[32 + 1].copy()).float())
    assert torch.equal(texts[1], torch.from_numpy(live.inputs.texts.plain[1].copy()).float())


@pytest.mark.parametrize(
    "made", [lambda *both: both[0], lambda i, t: (i, t, t), lambda i, t: (i[:, :3], t), lambda i, t: (i, t[:2])]
)
def test_other_changes_are_refused(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part(1.0)
    monkeypatch.setattr(part, "changes", made)
    with pytest.raises(PluginError, match=r"Part\.changes"):
        teach(cached(tmp_path), Composed(part), Retrieval()).outputs(BATCH, "cpu")


def test_it_begins_once_with_draws_of_its_name_and_seed(tmp_path: Path) -> None:
    """Other teachers and the student's draws do not depend on it."""

    def drawn(name: str, seed: int) -> float:
        part = Part(1.0)
        team = Team([TeamTeacher(name, teach(cached(tmp_path), Composed(part), Retrieval()))], [], 8, seed, "cpu")
        assert team.moving == {}
        [value] = part.begun
        return value

    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    assert drawn("a", 0) == drawn("a", 0)
    assert len({drawn("a", 0), drawn("a", 1), drawn("b", 0)}) == 3
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_part_that_learns_moves(tmp_path: Path) -> None:
    class Learning(Part):
        def step(self, own: Any, student: Any, batch: Any) -> None:
            assert not student.image.requires_grad
            assert own.image.shape == (len(batch), WIDTH)
            self.factor += 1

        def state_dict(self) -> dict[str, Any]:
            return {"factor": self.factor}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.factor = state["factor"]

    live = teach(cached(tmp_path), Composed(Learning(0.0)), Retrieval())
    assert isinstance(live, MovingEmbeddings)
    team = Team([TeamTeacher("a", live)], [], 8, 0, "cpu")
    team.step(live.stored.outputs(BATCH, "cpu"), BATCH)
    assert team.state_dict() == {"a": {"factor": 1.0}}
    team.load_state_dict({"a": {"factor": 5.0}})
    assert team.state_dict() == {"a": {"factor": 5.0}}
