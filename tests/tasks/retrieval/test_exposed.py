"""A teacher's internals beside its stored embeddings: of the same items, by its own model, in no graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from kdbench import PluginError
from kdbench.suite.settings import Views
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.exposed import ExposableEmbeddings
from kdbench.tasks.retrieval.teachers import teach
from tests.support.exposing import NAME, Closer, MappedSage
from tests.support.toys import Sage, batch_of, cached, module_of

BATCH = batch_of(torch.arange(4))


def test_they_are_of_the_images_of_the_batch(tmp_path: Path) -> None:
    data = cached(tmp_path)
    found: Any = teach(data, MappedSage(), Retrieval())
    assert type(found) is ExposableEmbeddings
    exposed = found.exposing([NAME])
    outputs, plain = exposed.outputs(BATCH, "cpu"), found.outputs(BATCH, "cpu")
    assert not plain.internals
    assert torch.equal(outputs.image, plain.image)
    assert exposed.width == found.width
    module: Any = module_of(exposed.model)
    module.eval()
    maps = module.first(torch.from_numpy(data.encode(exposed.model.images, "train")[:4].copy()).permute(0, 3, 1, 2) / 255)
    torch.testing.assert_close(outputs.internals[NAME][0], maps)
    assert not any(value.requires_grad for value in outputs.internals[NAME])


def test_views_are_seen_as_by_the_embeddings(tmp_path: Path) -> None:
    data = cached(tmp_path).viewed(Views(count=2, crop=[0.5, 0.9]))
    exposed: Any = teach(data, MappedSage(), Retrieval())
    assert exposed.exposing([NAME]).inputs.images.views.shape == (2 * 32, 6, 6, 3)


def test_other_names_are_refused(tmp_path: Path) -> None:
    found: Any = teach(cached(tmp_path), MappedSage(), Retrieval())
    with pytest.raises(PluginError, match="found the internals maps, expected text_hidden"):
        found.exposing(["text_hidden"])


def test_teachers_without_internals_are_refused_before_they_are_prepared() -> None:
    assert Retrieval().refuses(MappedSage(), Closer()) == ""
    assert Retrieval().refuses(Sage(), Closer()) == "internals (maps)"
