"""What is exported is what was trained, measured from the original files by the library that loads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.case_inputs import SUITE, Type, by_open_clip, write_suite

COLOURS = {
    "red": (220, 30, 30), "green": (30, 180, 30), "blue": (30, 60, 220), "yellow": (230, 220, 40),
    "white": (245, 245, 245), "black": (10, 10, 10), "purple": (140, 40, 160), "orange": (240, 140, 20),
}  # fmt: skip
COUNTS = {"train": 128, "val": 32, "test": 32}


def test_an_exported_folder_prepares_pictures_as_training_did(typed: Type, tmp_path: Path) -> None:
    """Wide pictures whose middle third has the colour that the caption names: squashed, they would show three colours."""
    rng, lines, number = np.random.default_rng(0), ["image,caption,split,colour"], 0
    test: list[tuple[Path, str]] = []
    for split, count in COUNTS.items():
        for place in range(count):
            middle = list(COLOURS)[place % 8]
            left, right = (list(COLOURS)[k] for k in rng.integers(0, 8, 2))
            image = Image.new("RGB", (120, 40))
            for x, colour in ((0, left), (40, middle), (80, right)):
                image.paste(COLOURS[colour], (x, 0, x + 40, 40))
            image.save(tmp_path / f"{number}.png")
            lines.append(f"{number}.png,a {middle} wall,{split},{split}-{middle}")
            if split == "test":
                test.append((tmp_path / f"{number}.png", f"a {middle} wall"))
            number += 1
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    suite = SUITE.replace("size: 32}", "concept: colour, size: 32}", 1).replace("context_length: 16", "context_length: 8")
    suite = suite.replace("epochs: 1, batch_size: 4, lr: 1e-3", "epochs: 20, batch_size: 32, lr: 3e-3").replace(
        "[1, 2]", "[1, 5]"
    )
    write_suite(tmp_path, suite)
    code, _, err = typed("run", "suite.yaml", "--no-profile", "--engine", "in_process", "--device", "cpu")
    assert code == 0, err
    (record,) = [path for path in (tmp_path / "results" / "tiny").glob("*.json") if path.name.count(".") == 1]
    code, out, err = typed("export", record, "--to", "open_clip", "--out", "exported")
    assert code == 0, err
    images, captions = zip(*test, strict=True)
    right = by_open_clip(tmp_path / "exported", images, captions, captions, (1, 5))
    assert right == pytest.approx(400, abs=8), out
