"""The teacher `openclip`, on a small model of open_clip with a checkpoint of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from kdbench import KdbenchError, TeacherData, Towers
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.teachers.openclip import OpenClip

CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 10, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
CAPTIONS = ["a cat", "two dogs and a very long story about them that no context of ten can hold", ""]
NO_LESSON = cast(TeacherData, None)  # it learns nothing


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Weights of `kdbench-tiny`, a model that open_clip knows for as long as these tests run."""
    import_open_clip()
    from open_clip import factory

    folder = tmp_path_factory.mktemp("openclip")
    (folder / "kdbench-tiny.json").write_text(json.dumps(CONFIG))
    before = list(factory._MODEL_CONFIG_PATHS), dict(factory._MODEL_CONFIGS)
    factory.add_model_config(folder)
    torch.manual_seed(0)
    clip = factory.create_model("kdbench-tiny")
    path = folder / "tiny.pt"
    torch.save({"state_dict": clip.state_dict()}, path)
    yield path
    factory._MODEL_CONFIG_PATHS[:], factory._MODEL_CONFIGS = before


@pytest.fixture(scope="module")
def towers(checkpoint: Path) -> Towers:
    return OpenClip(model="kdbench-tiny", pretrained=str(checkpoint)).towers(NO_LESSON)


def noise(count: int, size: int = 40) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_both_towers_do_what_open_clip_does(checkpoint: Path, towers: Towers) -> None:
    open_clip = import_open_clip()
    clip, preprocess = open_clip.create_model_from_pretrained("kdbench-tiny", str(checkpoint))
    images = noise(3)
    pixels = torch.stack([preprocess(Image.fromarray(image)) for image in images])
    with torch.no_grad():
        expected = clip.encode_image(pixels, normalize=True), clip.encode_text(open_clip.tokenize(CAPTIONS, 10), True)
    torch.testing.assert_close(towers.image.encode(images, "cpu"), expected[0])
    torch.testing.assert_close(towers.text.encode(CAPTIONS, "cpu"), expected[1])
    assert towers.logit_scale == pytest.approx(1 / 0.07)


def test_an_item_alone_is_the_item_in_a_batch(towers: Towers) -> None:
    images = noise(4)
    for encoder, items in ((towers.image, images), (towers.text, CAPTIONS)):
        together = encoder.encode(items, "cpu")
        alone = torch.cat([encoder.encode(items[i : i + 1], "cpu") for i in range(len(items))])
        torch.testing.assert_close(alone, together, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(together.norm(dim=1), torch.ones(len(items)))
        assert not together.requires_grad


def test_frozen_whatever_is_called_on_it(towers: Towers) -> None:
    clip = cast(Any, towers.image).clip
    before = towers.image.encode(noise(2), "cpu")
    clip.train().requires_grad_(True)
    assert torch.equal(before, towers.image.encode(noise(2), "cpu"))
    assert not clip.training
    assert not any(parameter.requires_grad for parameter in clip.parameters())


def test_keys_follow_the_weights_of_their_tower_and_the_precision(checkpoint: Path, towers: Towers, tmp_path: Path) -> None:
    def keys(path: Path, **params: Any) -> tuple[str, str]:
        found = OpenClip(model="kdbench-tiny", pretrained=str(path), **params).towers(NO_LESSON)
        return found.image.key, found.text.key

    assert (same := keys(checkpoint)) == (towers.image.key, towers.text.key)
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    state["token_embedding.weight"][0, 0] += 1
    torch.save(state, tmp_path / "other.pt")
    other = keys(tmp_path / "other.pt")
    assert other[0] == same[0]
    assert other[1] != same[1]
    assert not set(keys(checkpoint, precision="bf16")) & set(same)


def test_bf16_is_close_to_fp32_and_gives_float32(checkpoint: Path, towers: Towers) -> None:
    half = OpenClip(model="kdbench-tiny", pretrained=str(checkpoint), precision="bf16").towers(NO_LESSON)
    for one, other, items in ((half.image, towers.image, noise(2)), (half.text, towers.text, CAPTIONS)):
        vectors = one.encode(items, "cpu")
        assert vectors.dtype == torch.float32
        torch.testing.assert_close(vectors, other.encode(items, "cpu"), atol=0.03, rtol=0)


def test_a_folder_with_config_and_weights(checkpoint: Path, towers: Towers, tmp_path: Path) -> None:
    torch.save(torch.load(checkpoint, weights_only=True)["state_dict"], tmp_path / "open_clip_model.pth")
    mean = [0.5, 0.5, 0.5]  # another preprocessing is another encoder
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG, "preprocess_cfg": {"mean": mean}}))
    found = OpenClip(model=f"local-dir:{tmp_path}").towers(NO_LESSON)
    assert found.text.key == towers.text.key
    assert found.image.key != towers.image.key
    assert not torch.equal(found.image.encode(noise(1), "cpu"), towers.image.encode(noise(1), "cpu"))


def test_weights_that_do_not_fit_or_cannot_be_read(checkpoint: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pt"
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    torch.save({name: value for name, value in state.items() if name != "text_projection"}, wrong)
    with pytest.raises(KdbenchError, match=r"wrong\.pt.*text_projection.*of this model"):
        OpenClip(model="kdbench-tiny", pretrained=str(wrong)).load()
    torch.save({"state_dict": {**state, "code": Path()}}, wrong)  # a pickle of more than tensors is never run
    with pytest.raises(KdbenchError, match=r"wrong\.pt.*only tensors"):
        OpenClip(model="kdbench-tiny", pretrained=str(wrong)).load()
    wrong.write_bytes(b"not weights")
    with pytest.raises(KdbenchError, match=r"wrong\.pt"):
        OpenClip(model="kdbench-tiny", pretrained=str(wrong)).load()


def test_names_are_checked(checkpoint: Path) -> None:
    with pytest.raises(KdbenchError, match="did you mean 'kdbench-tiny'"):
        OpenClip(model="kdbench-tinny", pretrained=str(checkpoint)).towers(NO_LESSON)
    with pytest.raises(KdbenchError, match="did you mean 'yfcc15m'"):
        OpenClip(model="RN50", pretrained="yfc15m").towers(NO_LESSON)
    with pytest.raises(KdbenchError, match="needs `pretrained`"):
        OpenClip(model="RN50")


def test_without_a_network_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(KdbenchError, match=r"'openai' of 'RN50-quickgelu' could not be loaded .*the path of a checkpoint"):
        OpenClip(model="RN50-quickgelu", pretrained="openai").load()
