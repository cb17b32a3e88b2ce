"""Tiny models for smoke runs."""

from __future__ import annotations

import pytest

from kdbench_plugins.shrink import shrunken
from kdbench_plugins.students.clip_config import checked_config


@pytest.mark.parametrize(("patch", "expected"), [(6, 4), (8, 8), (14, 8), (16, 16), (32, 32), (40, 32)])
def test_patches_cover_the_small_picture(patch: int, expected: int) -> None:
    config = {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 5 * patch, "patch_size": patch, "width": 128, "head_width": 64, "layers": 3},
        "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
    }
    small = checked_config(shrunken(checked_config(config)))
    assert small["vision_cfg"]["patch_size"] == expected
