"""Models of which another would be measured in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.support.case_inputs import SPLITS, Type, by_open_clip, clip_config, picture, rsum_of, write_model, write_table

HALF = [0.5, 0.5, 0.5]
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)]
CAPTIONS = [f"picture {number}" for number in range(len(SPLITS))]
TEST = [place for place, split in enumerate(SPLITS) if split == "test"]


def expected(folder: Path, images: Path, ks: tuple[int, ...]) -> float:
    """RSUM over the test split, by open_clip alone."""
    paths, texts = [images / f"{place}.png" for place in TEST], [CAPTIONS[place] for place in TEST]
    return by_open_clip(folder, paths, texts, texts, ks)


def write_pngs(folder: Path, make: object = None) -> None:
    """A table of PNG files: noise, or six wide pictures that differ at their ends alone."""
    write_table(folder, "picture {}")
    table = folder / "t.csv"
    table.write_text(table.read_text(encoding="utf-8").replace(".jpg", ".png"), encoding="utf-8")
    for number in range(len(SPLITS)):
        if make is None:
            picture(number, 32, 32).save(folder / f"{number}.png")
        else:
            image = Image.new("RGB", (180, 60), COLOURS[number % 6])
            image.paste((128, 128, 128), (60, 0, 120, 60))
            image.save(folder / f"{number}.png")


def test_two_configurations_of_one_set_of_weights_are_two_models(typed: Type, tmp_path: Path) -> None:
    """They differ in `quick_gelu` alone, which changes no tensor's shape; a shared cache keeps them apart."""
    write_pngs(tmp_path)
    config = clip_config(width=64, layers=3)
    write_model(tmp_path / "plain", config, {"size": 32}, gain=6.0)
    write_model(tmp_path / "other", {**config, "quick_gelu": True}, {"size": 32}, gain=6.0)
    found = {}
    for name, cache in (("plain", "shared"), ("other", "shared"), ("other", "alone")):
        given = ("-d", "folder", "table=t.csv", "size=32", "--recall-at", "1,2,3", "--device", "cpu", "--cache", cache)
        code, out, err = typed("evaluate", f"local-dir:{name}", *given)
        assert code == 0, err
        found[name, cache] = rsum_of(out)
        assert found[name, cache] == pytest.approx(expected(tmp_path / name, tmp_path, (1, 2, 3)), abs=0.1)
    encodings = list((tmp_path / "shared" / "encodings").glob("*/manifest.json"))
    assert len(encodings) == 4  # images and captions of each


def test_k_over_the_gallery_is_refused(typed: Type, tmp_path: Path) -> None:
    """R@100 among six candidates is 1 for every model, and would be averaged in."""
    write_pngs(tmp_path)
    write_model(tmp_path / "model", clip_config(), {"size": 32})
    code, out, err = typed(
        "evaluate", "local-dir:model", "-d", "folder", "table=t.csv", "--recall-at", "1,5,100", "--device", "cpu"
    )
    assert (code, out) == (2, "")
    assert "evaluate.recall_at[2]: found 100; expected at most 6" in err


def test_a_model_sees_what_its_own_preprocessing_makes_of_the_files(typed: Type, tmp_path: Path) -> None:
    """It squashes pictures; the middle alone, which a crop would leave, is the same in all of them."""
    write_pngs(tmp_path, make="wide")
    preprocess = {"mean": HALF, "std": HALF, "interpolation": "bicubic", "resize_mode": "squash", "size": 64}
    write_model(tmp_path / "model", clip_config(size=64), preprocess, seed=3)
    code, out, err = typed(
        "evaluate", "local-dir:model", "-d", "folder", "table=t.csv", "--recall-at", "1,2", "--device", "cpu"
    )
    assert code == 0, err
    right = expected(tmp_path / "model", tmp_path, (1, 2))
    assert right > 0
    assert rsum_of(out) == pytest.approx(right, abs=0.1)


def test_weights_of_quickgelu_do_not_go_into_a_gelu_model(typed: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before any weights are looked for, with the name of the right model."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    write_table(tmp_path)
    given = ("-d", "folder", "table=t.csv", "--recall-at", "1,2", "--device", "cpu")
    code, out, err = typed("evaluate", "RN50", "--pretrained", "cc12m", *given)
    assert (code, out) == (2, "")
    assert "RN50-quickgelu" in err
