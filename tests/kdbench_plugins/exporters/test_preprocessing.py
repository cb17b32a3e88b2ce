"""What is said of a student's preprocessing is what its tower was given, also of pictures that are not square."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kdbench import KdbenchError, Student, evaluate
from kdbench.data.dataset import CachedDataset
from kdbench.storage.cache import Cache
from kdbench.tasks.retrieval.embeddings import encode_split, student_embeddings
from kdbench.tasks.retrieval.ranks import Ranks
from kdbench_plugins.datasets.folder import Folder
from kdbench_plugins.exporters.open_clip_folder import open_clip_embeddings, write_open_clip
from kdbench_plugins.exporters.outputs import furthest
from kdbench_plugins.exporters.preprocessing import check_pixels, in_words
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.students.clip_module import ClipModule
from kdbench_plugins.students.openclip import OpenClip
from tests.support.fuzzing import some
from tests.support.pictured import smooth, write_folder

SIDES = [(60, 40), (40, 60), (50, 50), (20, 90), (90, 21), (33, 34)]
COLOUR = st.lists(st.floats(0.1, 0.9).map(lambda value: round(value, 3)), min_size=3, max_size=3)
SIDE = st.sampled_from([32, 40])
LOOKS = st.fixed_dictionaries(
    {},
    optional={
        "resize_mode": st.sampled_from(["shortest", "longest", "squash"]),
        "interpolation": st.sampled_from(["bicubic", "bilinear", "random"]),
        "fill_color": st.integers(0, 255),
        "mean": COLOUR,
        "std": COLOUR,
    },
)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = {
        split: [smooth(seed + place, *sides) for place, sides in enumerate(SIDES)]
        for seed, split in ((0, "train"), (10, "validation"), (20, "test"))
    }
    return write_folder(tmp_path_factory.mktemp("pictures"), pictures, "{} picture number {}".format)


def student_of(look: dict[str, Any], size: Any = 32) -> Student:
    torch.manual_seed(0)
    vision = {"image_size": size, "layers": 1, "width": 64, "head_width": 32, "patch_size": 8}
    text = {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    model = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}
    student = OpenClip(config={"model_cfg": model, "preprocess_cfg": look})
    cast(ClipModule, student.module).eval()
    return student


@settings(some, max_examples=6)
@given(LOOKS, SIDE | st.tuples(SIDE, SIDE).map(list), st.sampled_from([16, 32, 64]))
def test_an_exported_folder_reads_files_as_the_student_does(
    tmp_path_factory: pytest.TempPathFactory, table: Path, look: dict[str, Any], size: Any, squares: int
) -> None:
    """Pixels of training, of the exported folder by open_clip alone, and of `kdbench evaluate` of it are the same."""
    folder = tmp_path_factory.mktemp("exported")
    student: Any = student_of(look, size)
    data = CachedDataset(Folder(table=table, size=squares), Cache(folder / "cache"))
    encoded, split = encode_split(data, student, "test"), data.split("test")
    write_open_clip(student, "s", folder)
    check_pixels(student.open_clip()[0], split, encoded.images, "s")

    own = student_embeddings(student, encoded, 64, "cpu")
    clip, preprocess = import_open_clip().create_model_from_pretrained(f"local-dir:{folder}")
    with torch.no_grad():
        files = [table.parent / f"test-{place}.png" for place in range(len(SIDES))]
        by_hand = clip.eval().encode_image(torch.stack([preprocess(Image.open(file)) for file in files]), normalize=True)
    np.testing.assert_allclose(by_hand.numpy(), own[0], rtol=0, atol=1e-5)
    assert furthest(open_clip_embeddings(folder, split), own) < 1e-5

    settings = {"recall_at": [1, 5]}
    report = evaluate(f"local-dir:{folder}", {"use": "folder", "table": str(table)}, settings=settings, cache=folder / "cache")
    expected = Ranks.of(*own, encoded.image_concepts, encoded.caption_concepts).metrics([1, 5])
    assert report.metrics == pytest.approx(expected)


def squashed(config: dict[str, Any]) -> None:
    config["preprocess_cfg"]["resize_mode"] = "squash"


def bilinear(config: dict[str, Any]) -> None:
    config["preprocess_cfg"]["interpolation"] = "bilinear"


@pytest.mark.parametrize("change", [squashed, bilinear])
def test_other_pixels_are_refused(tmp_path: Path, table: Path, change: Callable[[dict[str, Any]], None]) -> None:
    student: Any = student_of({})
    data = CachedDataset(Folder(table=table, size=32), Cache(tmp_path))
    pixels, split = encode_split(data, student, "test").images, data.split("test")
    config, _ = student.open_clip()
    check_pixels(config, split, pixels, "s")
    change(config)
    with pytest.raises(KdbenchError, match=r"the student 's' reads other pixels of test picture 0 than open_clip does"):
        check_pixels(config, split, pixels, "s")
    check_pixels(config, split, np.asarray(pixels, dtype=np.float32), "s")  # no pixels: nothing to compare


def test_in_words() -> None:
    look = {"interpolation": "bicubic", "fill_color": 7, "mean": [0.5, 0.5, 0.25], "std": (1, 1, 1)}
    for mode, words in (
        ("shortest", "resized until they cover 32 × 40 pixels, and cropped to that size around their centre (bicubic)"),
        ("longest", "resized until they fit into 32 × 40 pixels, and padded to that size with 7 (bicubic)"),
        ("squash", "resized to 32 × 40 pixels without keeping their proportions (bicubic)"),
    ):
        said = in_words({**look, "resize_mode": mode}, (32, 40))
        assert said.startswith(f"Pictures are {words}; ")
        assert said.endswith("normalised with mean 0.5, 0.5, 0.25 and deviation 1, 1, 1.")
    assert "cover 24 × 24 pixels" in in_words({**look, "resize_mode": "shortest"}, 24)
