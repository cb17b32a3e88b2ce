"""Answers, accuracies and contributions against one item at a time, and CLIP_benchmark's own evaluation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from clip_benchmark.metrics import image_caption_selection
from numpy.typing import NDArray

from kdbench.tasks.compositional.metrics import KINDS
from kdbench.tasks.compositional.pairs import accuracies, contributions, kinds_of, right_first

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def unit(rng: np.random.Generator, rows: int) -> Floats:
    drawn = rng.normal(size=(rows, 6))
    found: Floats = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return found


def drawn(seed: int, items: int = 40) -> tuple[Floats, Floats, Ints, Ints, Ints]:
    """Images with any numbers as concepts, captions, and the image of each item."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(np.array([40, 7, 99, 3, 12, 5, 8, 1]))
    of = np.concatenate([np.arange(8), rng.integers(0, 8, items - 8)])
    concepts = np.stack([names[of], np.full(items, -1)], axis=1).reshape(-1)
    return unit(rng, 8), unit(rng, 2 * items), names, concepts, of


@pytest.mark.parametrize("seed", range(3))
def test_answers_are_those_of_one_item_at_a_time(seed: int) -> None:
    images, captions, names, concepts, of = drawn(seed)
    found = right_first(images, captions, names, concepts)
    for item, image in enumerate(of.tolist()):
        right, wrong = (float(images[image] @ captions[2 * item + side]) for side in (0, 1))
        assert found[item] == (right > wrong)
    assert 0 < found.sum() < len(found)


class Looked(torch.nn.Module):
    """An open_clip-like model: what it is given as images and texts is their place among stored embeddings."""

    def __init__(self, images: Floats, captions: Floats) -> None:
        super().__init__()
        self.images, self.captions = torch.from_numpy(images), torch.from_numpy(captions)

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        return self.images[images[:, 0, 0, 0].long()]

    def encode_text(self, texts: torch.Tensor) -> torch.Tensor:
        return self.captions[texts]


def test_accuracy_is_that_of_clip_benchmark() -> None:
    """Which evaluates one file; without ties."""
    images, captions, names, concepts, of = drawn(3)
    batch = torch.tensor(of).float().reshape(-1, 1, 1, 1)
    texts = [[str(2 * item), str(2 * item + 1)] for item in range(len(of))]
    found = image_caption_selection.evaluate(
        Looked(images, captions), [(batch, texts)], lambda words: torch.tensor(list(map(int, words))), "cpu", amp=False
    )
    answers = right_first(images, captions, names, concepts)
    assert accuracies(answers, np.arange(len(of)) % len(KINDS))["acc"] == pytest.approx(found["text_acc"], abs=1e-7)
    assert found["acc"] == found["text_acc"]  # one image an item


def test_ties_count_against_the_model() -> None:
    images = unit(np.random.default_rng(0), 3)
    captions = np.repeat(unit(np.random.default_rng(1), 3), 2, axis=0)  # the wrong caption has the same embedding
    concepts = np.array([0, -1, 1, -1, 2, -1])
    assert right_first(images, captions, np.arange(3), concepts).tolist() == [False] * 3


def test_a_nan_is_refused() -> None:
    images, captions, names, concepts, _ = drawn(0)
    images[2, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        right_first(images, captions, names, concepts)


def test_kinds_are_those_of_the_ids() -> None:
    ids = [f"{kind}/{number}#{side}" for number, kind in enumerate(("swap_obj", "add_att", "swap_obj")) for side in (0, 1)]
    assert kinds_of(ids).tolist() == [6, 0, 6]
    with pytest.raises(ValueError, match="not in tuple"):
        kinds_of(["other/1#0", "other/1#1"])


def test_accuracies_are_shares_of_each_file() -> None:
    """As main_eval.py of SugarCrepe counts them, file by file."""
    rng = np.random.default_rng(0)
    kinds, correct = rng.permutation(np.arange(50) % 7), rng.integers(0, 2, 50)
    found = accuracies(correct, kinds)
    for place, kind in enumerate(KINDS):
        answers = [answer for answer, of in zip(correct.tolist(), kinds.tolist(), strict=True) if of == place]
        assert found[kind] == pytest.approx(sum(answers) / len(answers))
    assert found["acc"] == correct.sum() / 50
    assert found["mean_per_kind"] == pytest.approx(np.mean([found[kind] for kind in KINDS]))


def test_contributions_average_to_the_metrics_and_change_with_their_own_items() -> None:
    rng = np.random.default_rng(1)
    kinds, units = rng.permutation(np.arange(60) % 7), rng.permutation(np.arange(60) % 11)
    correct = rng.integers(0, 2, (3, 60))
    found = contributions(correct, kinds, units)
    for seed in range(3):
        for name, value in accuracies(correct[seed], kinds).items():
            assert found[name][seed].mean() == pytest.approx(100 * value)
    assert {values.shape for values in found.values()} == {(3, 11)}
    # The values of an image that answers as the average does are the metric itself.
    balanced = contributions(np.tile([1, 0], 14)[None], np.repeat(np.arange(7), 4), np.repeat(np.arange(14), 2))
    assert balanced["acc"].tolist() == [[50.0] * 14]
    # Of a kind, images without items of it say nothing: they have the mean.
    assert balanced["add_obj"].tolist() == [[50.0] * 14]
