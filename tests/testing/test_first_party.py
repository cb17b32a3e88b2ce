"""Every first-party plugin has the properties that are asked of anyone's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from kdbench.plugins import Kind, installed
from kdbench.testing import conform
from kdbench.testing.conform import FIND
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.students.clip_config import SMALL

torch.set_num_threads(1)
FIRST_PARTY = [
    (kind, name) for kind in FIND for name, listed in installed().offers(kind).items() if listed.provider.startswith("kdbench:")
]
# Trained for as long as it takes to have something to look at.
SHORT: dict[tuple[Kind, str], dict[str, Any]] = {
    ("teacher", "trained"): {"epochs": 1, "batch_size": 16},
    ("teacher", "backbones"): {"epochs": 2, "batch_size": 16, "resolution": 32},
    ("teacher", "label_shuffled"): {
        "teacher": {"use": "backbones", "image": "efficientnet_lite0", "epochs": 2, "batch_size": 16, "resolution": 32}
    },
}


@pytest.fixture
def openclip_folder(tmp_path: Path) -> Path:
    """A model folder such as open_clip saves, with weights of chance, since no other can be had without a network."""
    torch.manual_seed(0)
    clip: Any = import_open_clip().model.CLIP(**SMALL)
    config = {"model_cfg": SMALL, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    save_file(clip.state_dict(), tmp_path / "open_clip_model.safetensors")
    return tmp_path


def test_there_are_plugins_of_every_kind() -> None:
    assert {kind for kind, _ in FIRST_PARTY} == set(FIND)
    assert len(FIRST_PARTY) >= 37


@pytest.mark.parametrize(("kind", "name"), FIRST_PARTY, ids=[f"{kind}-{name}" for kind, name in FIRST_PARTY])
def test_it_conforms(kind: Kind, name: str, openclip_folder: Path) -> None:
    offer = installed().find(kind, name).offer
    params = {**offer.example, **SHORT.get((kind, name), {})}
    if (kind, name) == ("teacher", "openclip"):
        params = {"model": f"local-dir:{openclip_folder}"}
    failed = [str(finding) for finding in conform(offer, kind, params) if finding.outcome == "fails"]
    assert not failed, "\n".join(failed)
