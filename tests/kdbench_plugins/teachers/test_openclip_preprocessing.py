"""`kdbench evaluate` of a model of open_clip is open_clip's own pipeline on the picture files, with random weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from kdbench import Encoder, evaluate
from kdbench.data.dataset import CachedDataset
from kdbench.storage.cache import Cache
from kdbench.tasks.retrieval.ranks import Ranks
from kdbench_plugins.datasets.folder import Folder
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.teachers.openclip import OpenClip
from tests.support.fuzzing import some
from tests.support.pictured import smooth, write_folder

CLOSE = 1e-6
# Square, wide and tall; smaller and larger than the models; long strips.
SIDES = [(240, 240), (400, 150), (150, 400), (60, 61), (30, 200), (500, 333), (32, 640), (224, 224)]
MODES = ("shortest", "longest", "squash")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    splits = {"train": [smooth(90, 50, 50)], "validation": [smooth(91, 50, 40)]}
    pictures = splits | {"test": [smooth(seed, *sides) for seed, sides in enumerate(SIDES)]}
    return write_folder(tmp_path_factory.mktemp("pictures"), pictures, "{} picture number {}".format)


def write_model(folder: Path, size: int | list[int], **preprocess: Any) -> str:
    """A small model with random weights; its name for open_clip."""
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": size, "layers": 1, "width": 64, "head_width": 32, "patch_size": 16},
        "text_cfg": {"context_length": 10, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    folder.mkdir(parents=True, exist_ok=True)
    described = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    torch.manual_seed(0)
    weights = import_open_clip().model.CLIP(**config).state_dict()
    save_file({key: value.contiguous() for key, value in weights.items()}, folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"


@torch.no_grad()
def by_open_clip(model: str, table: Path, files: Sequence[Path] = ()) -> tuple[NDArray[Any], NDArray[Any]]:
    """Embeddings of the test pictures and captions, by open_clip alone, from the files."""
    open_clip = import_open_clip()
    clip, _, preprocess = open_clip.create_model_and_transforms(model)
    clip.eval()
    files = files or [table.parent / f"test-{place}.png" for place in range(len(SIDES))]
    images = clip.encode_image(torch.stack([preprocess(Image.open(file)) for file in files]), normalize=True)
    captions = [f"test picture number {place}" for place in range(len(SIDES))]
    return images.numpy(), clip.encode_text(open_clip.get_tokenizer(model)(captions), normalize=True).numpy()


def by_kdbench(model: str, table: Path, cache: Path, size: int = 48) -> tuple[NDArray[Any], NDArray[Any]]:
    """The embeddings that `rank_teacher` ranks; `size` is the dataset's, which must not matter."""
    data: Any = CachedDataset(Folder(table=table, size=size), Cache(cache))
    towers = OpenClip(model=model).towers(data)
    found: list[NDArray[Any]] = []
    for tower in (towers.image, towers.text):
        encoder: Encoder = tower
        found.append(np.asarray(data.encode(encoder, "test", exact=True)))
    return found[0], found[1]


@pytest.mark.parametrize("size", [224, 336])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("mode", MODES)
def test_embeddings_of_files_are_those_of_open_clip(
    tmp_path: Path, table: Path, mode: str, interpolation: str, size: int
) -> None:
    model = write_model(tmp_path / "model", size, resize_mode=mode, interpolation=interpolation)
    images, texts = by_open_clip(model, table)
    for found, expected in zip(by_kdbench(model, table, tmp_path / "cache"), (images, texts), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSE)
    concepts = np.arange(len(SIDES))
    report = evaluate(model, {"use": "folder", "table": str(table)}, settings={"recall_at": [1, 5]}, cache=tmp_path / "cache")
    assert report.metrics == Ranks.of(images, texts, concepts, concepts).metrics([1, 5])


def test_files_of_every_format_are_read_as_open_clip_reads_them(tmp_path: Path) -> None:
    """Grey ones as well."""
    suffixes = (".jpg", ".webp", ".bmp", ".tiff", ".png")
    pictures = [smooth(seed, *sides) for seed, sides in enumerate(SIDES)] + [smooth(9, 90, 40).convert("L")] * len(suffixes)
    splits = {"train": pictures[:1], "validation": pictures[:1], "test": pictures}
    table = write_folder(tmp_path / "pictures", splits, "{} picture number {}".format, suffixes)
    files = sorted(table.parent.glob("test-*"))  # the dataset's order
    assert {Image.open(file).mode for file in files} == {"RGB", "L"}
    model = write_model(tmp_path / "model", 64, resize_mode="longest", fill_color=90)
    expected = by_open_clip(model, table, files)[0]
    np.testing.assert_allclose(by_kdbench(model, table, tmp_path / "cache")[0], expected, rtol=0, atol=CLOSE)


COLOUR = st.lists(st.floats(0.1, 0.9), min_size=3, max_size=3)
SIDE = st.sampled_from([32, 48, 64])


@settings(some, max_examples=8)
@given(
    mode=st.sampled_from(MODES),
    interpolation=st.sampled_from(["bicubic", "bilinear", "random"]),
    mean=COLOUR,
    std=COLOUR,
    fill=st.integers(0, 255),
    size=SIDE | st.lists(SIDE, min_size=2, max_size=2),
    squares=st.sampled_from([16, 64, 100]),
)
def test_any_preprocessing_is_the_models(
    tmp_path_factory: pytest.TempPathFactory,
    table: Path,
    mode: str,
    interpolation: str,
    mean: list[float],
    std: list[float],
    fill: int,
    size: int | list[int],
    squares: int,
) -> None:
    folder = tmp_path_factory.mktemp("model")
    look = {"mean": mean, "std": std, "fill_color": fill}
    model = write_model(folder, size, resize_mode=mode, interpolation=interpolation, **look)
    expected = by_open_clip(model, table)[0]
    np.testing.assert_allclose(by_kdbench(model, table, folder / "cache", squares)[0], expected, rtol=0, atol=CLOSE)
