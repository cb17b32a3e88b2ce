"""Class vectors, ranks and figures of zero-shot classification against naive oracles."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from kdbench.tasks.zero_shot.class_vectors import class_shares, class_vectors, classified, first_alike, top


def unit(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    drawn = rng.normal(size=shape)
    found: NDArray[np.float32] = (drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)).astype(np.float32)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_ranks_are_those_of_one_class_at_a_time(seed: int) -> None:
    """Classes have unequal numbers of prompts, in random order, and any numbers as names."""
    rng = np.random.default_rng(seed)
    names = np.array([40, 7, 99, 3, 12])
    prompt_classes = rng.permutation(np.repeat(names, [1, 2, 3, 4, 5]))
    prompts, images, image_classes = unit(rng, 15, 6), unit(rng, 30, 6), rng.choice(names, 30)
    found = classified(images, prompts, image_classes, prompt_classes)
    vectors = {}
    for name in names.tolist():
        mean = prompts[prompt_classes == name].mean(axis=0)
        vectors[name] = mean / np.linalg.norm(mean)
    for image, name, rank in zip(images, image_classes.tolist(), found["rank"].tolist(), strict=True):
        scores = {other: float(image @ vector) for other, vector in vectors.items()}
        assert rank == sorted(scores, key=lambda other: -scores[other]).index(name) + 1
    assert np.sort(names)[found["class"]].tolist() == image_classes.tolist()


def test_ties_count_against_the_model() -> None:
    prompts = np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (4, 1))
    found = classified(prompts[:3], prompts, np.array([0, 1, 2]), np.arange(4))
    assert found["rank"].tolist() == [4, 4, 4]


def test_of_classes_with_the_same_prompts_the_first_comes_first() -> None:
    """As in a stable sort of the classes by similarity; whatever else ties counts against the model."""
    rng = np.random.default_rng(0)
    names = ["missile", "lens", "missile", "hat", "missile"]
    texts = [f"{article} {name}" for name in names for article in ("a", "one")]
    classes = np.repeat([3, 8, 11, 20, 40], 2)
    alike = first_alike(texts, classes)
    assert alike.tolist() == [0, 1, 0, 3, 0]
    kinds = {text: unit(rng, 4) for text in texts}
    prompts = np.stack([kinds[text] for text in texts])
    prompts[4] *= np.float32(1 + 1e-6)  # encoded in another batch
    images, image_classes = unit(rng, 200, 4), rng.choice(classes, 200)
    found = classified(images, prompts, image_classes, classes, alike)["rank"]
    vectors, known = class_vectors(prompts, classes)
    scores = (images.astype(np.float64) @ vectors[alike].T.astype(np.float64)).astype(np.float32)
    order = np.argsort(-scores, axis=1, kind="stable")
    assert found.tolist() == [known[row].tolist().index(own) + 1 for row, own in zip(order, image_classes, strict=True)]
    assert set(found[image_classes == 3]) & {1}
    assert not set(found[image_classes == 11]) & {1}
    one_point = np.tile(prompts[:1], (10, 1))
    assert classified(images, one_point, image_classes, classes, alike)["rank"].tolist() == [
        {3: 3, 8: 5, 11: 4, 20: 5, 40: 5}[own] for own in image_classes.tolist()
    ]


def test_prompts_that_cancel_out_give_a_zero_vector() -> None:
    vectors, known = class_vectors(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]), np.array([5, 5, 2]))
    assert vectors.tolist() == [[0.0, 1.0], [0.0, 0.0]]
    assert known.tolist() == [2, 5]


def test_an_image_of_a_class_without_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="no matching candidate"):
        classified(np.eye(2), np.eye(2), np.array([0, 7]), np.array([0, 1]))


def test_figures_are_those_of_the_most_similar_classes() -> None:
    """Without ties, as CLIP_benchmark computes acc1, acc5 and mean_per_class_recall: from the K largest scores."""
    rng = np.random.default_rng(0)
    vectors, labels = unit(rng, 9, 8), rng.choice(9, 200, p=np.arange(1, 10) / 45)
    images = unit(rng, 200, 8) + vectors[labels]
    found = classified(images, vectors, labels, np.arange(9))
    best = np.argsort(-(images @ vectors.T), axis=1)
    for k in (1, 5):
        assert top(found["rank"], k) == np.mean([label in row[:k] for label, row in zip(labels, best, strict=True)])
    recalls = [np.mean(best[labels == label, 0] == label) for label in range(9)]
    assert (class_shares(found["class"]) * (found["rank"] == 1)).mean() == pytest.approx(np.mean(recalls))
    assert np.mean(recalls) != pytest.approx(top(found["rank"], 1))
