"""Runs with augmented views: every teacher has encoded the very pixels that the student sees."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from kdbench import Batch, Encoder, Modality, NoTower, Progress, SplitName, TeacherData, Towers
from kdbench.contracts import FeedSettings
from kdbench.data.dataset import CachedDataset
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench.storage.cache import Cache
from kdbench.suite.settings import Views
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.embeddings import encode_split
from kdbench.tasks.retrieval.feed import PairFeed
from kdbench.tasks.retrieval.teachers import teach
from kdbench.tasks.retrieval.without_test import WithoutTest
from tests.support.pictured import Pictured
from tests.support.toys import Beads, Projection, Sage, cached, plugged, run_context, run_spec, toy

EPOCHS = 3
SETTINGS: dict[str, dict[str, Any]] = {
    "crop": {"crop": [0.3, 0.9], "flip": 0.0},
    "flip": {"crop": [1.0, 1.0], "flip": 0.5},
    "color": {"crop": [1.0, 1.0], "flip": 0.0, "color": 0.5},
    "erase": {"crop": [1.0, 1.0], "flip": 0.0, "erase": 0.8},
    "all": {"crop": [0.5, 1.0], "flip": 0.5, "color": 0.4, "erase": 0.25},
}


class Based(Sage):
    """A teacher whose image tower is a frozen layer on top of a stored base."""

    def __init__(self) -> None:
        super().__init__()
        above = OnTop()
        above.base = Projection("image", 9, 4)
        self.image = above


class OnTop(Projection):
    def __init__(self) -> None:
        super().__init__("image", 12, 1)

    def encode(self, items: Any, device: str) -> Tensor:
        rows = torch.as_tensor(np.asarray(items), device=device)
        matrix = torch.randn(rows.shape[1], self.width, generator=torch.Generator().manual_seed(self.seed)).to(device)
        return torch.nn.functional.normalize(rows @ matrix, dim=1)


class Mute(Sage):
    """A teacher without a text tower."""

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        return Towers(self.image, NoTower("text"), self.scale)


class Letters:
    """Captions as their bytes, [B, 80], uint8."""

    modality: Modality = "text"
    base: Encoder | None = None
    key = "letters"

    def encode(self, items: Any, device: str) -> Tensor:
        rows = [list(item.encode().ljust(80, b"\0")) for item in items]
        return torch.tensor(rows, dtype=torch.uint8, device=device)


class Reader(Letters):
    """Unit vectors of captions: a random projection of their letters."""

    key, width = "reader", 12

    def encode(self, items: Any, device: str) -> Tensor:
        matrix = torch.randn(80, self.width, generator=torch.Generator().manual_seed(0)).to(device)
        return torch.nn.functional.normalize(super().encode(items, device).float() @ matrix, dim=1)


class Literate(Sage):
    """A teacher that reads letters."""

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        return Towers(self.image, Reader(), self.scale)


def feed_of(data: CachedDataset, seed: int = 0, share: Any = slice) -> PairFeed:
    settings = FeedSettings(batch_size=8, epochs=EPOCHS, seed=seed, device="cpu", share=share)
    return PairFeed(encode_split(data, toy(), "train"), settings)


def plain(data: CachedDataset, batch: Batch) -> Tensor:
    """The images of a batch as they are."""
    images: Any = data.split("train").images
    return torch.from_numpy(np.array(images[batch.images.numpy()]))


def live(teacher: Sage, pixels: Tensor) -> Tensor:
    """Embeddings of pixels, computed now."""
    items: Any = pixels.numpy()
    if teacher.image.base is not None:
        items = teacher.image.base.encode(items, "cpu")
    return teacher.image.encode(items, "cpu")


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("kind", [Sage, Based, Mute])
def test_stored_views_equal_live_ones(name: str, kind: type[Sage], tmp_path: Path) -> None:
    """In every batch, the teacher's stored rows are its embeddings of the pixels that the student is given."""
    teacher = kind()
    data = cached(tmp_path).viewed(Views(count=3, **SETTINGS[name]))
    stored, feed = teach(data, teacher, Retrieval()), feed_of(data)
    changed = 0
    for step in range(feed.steps):
        batch, (pixels, _) = feed.batch(step), feed.inputs(step)
        told = stored.outputs(batch, "cpu").image
        assert cosine_similarity(told, live(teacher, pixels)).min() >= 0.9999
        changed += int((plain(data, batch) != pixels).any())
    assert changed == feed.steps  # the property above would hold without augmentation, too


def test_teachers_that_see_the_image_itself(tmp_path: Path) -> None:
    teacher, data = Sage(), cached(tmp_path).viewed(Views(count=3, teachers="clean"))
    stored, feed = teach(data, teacher, Retrieval()), feed_of(data)
    batch, (pixels, _) = feed.batch(0), feed.inputs(0)
    assert cosine_similarity(stored.outputs(batch, "cpu").image, live(teacher, plain(data, batch))).min() >= 0.9999
    assert cosine_similarity(stored.outputs(batch, "cpu").image, live(teacher, pixels)).min() < 0.99


@pytest.mark.parametrize("teachers", ["same", "clean"])
def test_views_of_captions(teachers: Any, tmp_path: Path) -> None:
    """Stored rows are the teacher's embeddings of the words that the student reads, or with `clean` of the whole caption."""
    data = cached(tmp_path).viewed(Views(count=3, drop_words=0.4, teachers=teachers))
    student = toy()
    student.texts = Letters()
    encoded, stored = encode_split(data, student, "train"), teach(data, Literate(), Retrieval())
    feed = PairFeed(encoded, FeedSettings(batch_size=8, epochs=EPOCHS, seed=0, device="cpu", share=slice))
    captions, shortened = data.split("train").captions, 0
    for step in range(feed.steps):
        batch, (_, tokens) = feed.batch(step), feed.inputs(step)
        read = [bytes(row).rstrip(b"\0").decode() for row in tokens.tolist()]
        whole = [captions[place] for place in batch.captions.tolist()]
        shortened += read != whole
        told = stored.outputs(batch, "cpu").text
        assert cosine_similarity(told, Reader().encode(read if teachers == "same" else whole, "cpu")).min() >= 0.9999
    assert shortened == feed.steps
    assert encode_split(data, student, "validation").text_views is False


class Sighted(Sage):
    """A teacher that resizes original pictures to `side` pixels; it knows their mean colour alone."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.eyes = MeanColour()
        self.eyes.side = side

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        return Towers(self.eyes, NoTower("text"), self.scale)


class MeanColour:
    modality: Modality = "image"
    base: Encoder | None = None
    originals, key, side = True, "mean colour", 0

    def encode(self, items: Any, device: str) -> Tensor:
        means = np.stack([np.asarray(item).mean(axis=(0, 1)) for item in items])
        return torch.nn.functional.normalize(torch.from_numpy(means).float().to(device), dim=1)


@pytest.mark.parametrize(("side", "views", "told"), [(7, {}, 1), (6, {}, 0), (7, {"teachers": "clean"}, 0), (7, None, 0)])
def test_views_smaller_than_what_a_teacher_reads_are_told(side: int, views: Any, told: int, tmp_path: Path) -> None:
    """Views replace original pictures, which may show more."""
    data = CachedDataset(Pictured([(20, 30), (12, 9)]), Cache(tmp_path))
    data = data if views is None else data.viewed(Views(count=2, **views))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        teach(data, Sighted(side), Retrieval())
    messages = [str(one.message) for one in caught]
    assert len(messages) == told
    assert all("reads pictures of 7 pixels sees views of 6, the dataset's size" in message for message in messages)


def test_each_image_goes_through_all_of_its_views(tmp_path: Path) -> None:
    """Whatever the seed, in as many epochs as there are views, and beside it the same captions as without views."""
    for seed in (0, 1):
        feed, without = feed_of(cached(tmp_path).viewed(Views(count=EPOCHS)), seed), feed_of(cached(tmp_path), seed)
        seen: dict[int, list[int]] = {}
        for step in range(feed.steps):
            batch, other = feed.batch(step), without.batch(step)
            assert torch.equal(batch.images, other.images)
            assert torch.equal(batch.captions, other.captions)
            assert other.views is None
            assert batch.views is not None
            for image, view in zip(batch.images.tolist(), batch.views.tolist(), strict=True):
                seen.setdefault(image, []).append(view)
        assert all(sorted(views) == list(range(EPOCHS)) for views in seen.values())


def test_ranks_see_their_share_of_the_same_views(tmp_path: Path) -> None:
    data = cached(tmp_path).viewed(Views(count=3))
    whole = feed_of(data).inputs(5)
    for rows in (slice(0, 4), slice(4, 8)):
        for part, everything in zip(feed_of(data, share=lambda _, rows=rows: rows).inputs(5), whole, strict=True):
            assert torch.equal(part, everything[rows])


def test_only_the_train_split_has_views(tmp_path: Path) -> None:
    whole, viewed = cached(tmp_path), cached(tmp_path).viewed(Views(count=3))
    names: tuple[SplitName, ...] = ("validation", "test")
    for name in names:
        one, other = (encode_split(data, toy(), name) for data in (whole, viewed))
        np.testing.assert_array_equal(one.images, other.images)
        assert one.views == other.views == 0
    assert whole.views is None


def test_a_trial_with_views_has_no_test_split(tmp_path: Path) -> None:
    data = WithoutTest(Beads(), cached(tmp_path).cache).viewed(Views(count=2))
    with pytest.raises(AssertionError, match="a trial asked for the 'test' split"):
        data.split("test")


def viewed_spec(**changes: Any) -> Any:
    train = {"views": {"count": 3, **SETTINGS["all"]}, **changes.pop("train", {})}
    return run_spec(train=train, **changes)


@pytest.mark.parametrize("changes", [{}, {"train": {"micro_batch": 3}}, {"team": ()}, {"student": plugged("toy", dropout=0.1)}])
def test_a_run_with_views_is_reproduced_and_resumed(changes: dict[str, Any], tmp_path: Path) -> None:
    def copied() -> dict[str, Any]:
        return {key: dict(value) if isinstance(value, dict) else value for key, value in changes.items()}

    spec = viewed_spec(**copied())
    calm = execute(spec, run_context(tmp_path / "calm"))
    assert calm.status == "ok", calm.reason
    where = run_context(tmp_path / "stopped")

    def stop(progress: Progress) -> None:
        if progress.stage == "train" and progress.done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(spec, replace(where, on_progress=stop))
    again = execute(spec, where)
    assert again.arrays_sha256 == calm.arrays_sha256
    assert again.weights == calm.weights
    without = execute(run_spec(**{**copied(), "train": changes.get("train", {})}), run_context(tmp_path / "without"))
    assert without.arrays_sha256 != calm.arrays_sha256


def entries(where: RunContext) -> set[str]:
    return {
        entry.folder.name for entry in where.cache.entries() if not isinstance(entry, Exception) and entry.kind == "encodings"
    }


def test_teachers_encode_views_once_for_all_seeds_teams_and_strategies(tmp_path: Path) -> None:
    where = run_context(tmp_path)
    assert execute(viewed_spec(), where).status == "ok"
    before = entries(where)
    others = [viewed_spec(seed=1), viewed_spec(team=("a",)), viewed_spec(strategy=plugged("random"))]
    for spec in [*others, viewed_spec(train={"views": {"count": 3, "teachers": "clean", **SETTINGS["all"]}})]:
        assert execute(spec, where).status == "ok"
    assert entries(where) == before
