"""What a test split shows, kept beside its records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdbench.errors import RecordError
from kdbench.tasks.retrieval.concepts import concepts_path, read_concepts, write_concepts

DIGEST = "d" * 64
SIZES = {"images": 3, "captions": 4, "concepts": 2}
IMAGES, CAPTIONS = np.array([7, 9, 7]), np.array([9, 9, 7, 7])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1), st.lists(st.integers(-9, 9), min_size=1))
def test_what_matched_matches(tmp_path: Path, images: list[int], captions: list[int]) -> None:
    record = tmp_path / "run.json"
    write_concepts(record, DIGEST, np.array(images), np.array(captions))
    sizes = {"images": len(images), "captions": len(captions), "concepts": len({*images, *captions})}
    found = np.concatenate(read_concepts(concepts_path(record, DIGEST).read_bytes(), sizes))
    given_ = np.array([*images, *captions])
    assert ((found[:, None] == found) == (given_[:, None] == given_)).all()
    assert list(dict.fromkeys(found.tolist())) == list(range(sizes["concepts"]))  # numbered as they come


def test_the_same_concepts_under_other_numbers_make_the_same_file(tmp_path: Path) -> None:
    one = write_concepts(tmp_path / "a" / "run.json", DIGEST, IMAGES, CAPTIONS)
    assert write_concepts(tmp_path / "b" / "run.json", DIGEST, 50 - IMAGES, 50 - CAPTIONS) == one
    assert write_concepts(tmp_path / "c" / "run.json", DIGEST, IMAGES, CAPTIONS[::-1]) != one


def test_runs_of_one_dataset_share_a_file(tmp_path: Path) -> None:
    assert concepts_path(tmp_path / "a.json", DIGEST) == concepts_path(tmp_path / "b.json", DIGEST)
    assert concepts_path(tmp_path / "a.json", "e" * 64) != concepts_path(tmp_path / "a.json", DIGEST)


@pytest.mark.parametrize("change", [{"images": 4}, {"captions": 3}, {"concepts": 3}])
def test_another_split_is_told(tmp_path: Path, change: dict[str, int]) -> None:
    write_concepts(tmp_path / "run.json", DIGEST, IMAGES, CAPTIONS)
    content = concepts_path(tmp_path / "run.json", DIGEST).read_bytes()
    with pytest.raises(RecordError, match="test split"):
        read_concepts(content, SIZES | change)


def test_damage_is_told(tmp_path: Path) -> None:
    write_concepts(tmp_path / "run.json", DIGEST, IMAGES, CAPTIONS)
    content = concepts_path(tmp_path / "run.json", DIGEST).read_bytes()
    for damaged in (b"", b"no zip", content[:-30], content[:80] + b"\0\0\0\0" + content[84:]):
        with pytest.raises(RecordError):
            read_concepts(damaged, SIZES)


def test_pickles_and_bombs_are_refused(tmp_path: Path) -> None:
    for name, arrays in (
        ("pickle", {"images": np.array([object()] * 3), "captions": CAPTIONS}),
        ("floats", {"images": IMAGES.astype(float), "captions": CAPTIONS}),
        ("bomb", {"images": IMAGES, "captions": np.zeros(10**6, dtype=int)}),
        ("none", {"images": IMAGES}),
    ):
        np.savez_compressed(tmp_path / f"{name}.npz", **arrays)  # type: ignore[arg-type]
        with pytest.raises(RecordError):
            read_concepts((tmp_path / f"{name}.npz").read_bytes(), SIZES)
