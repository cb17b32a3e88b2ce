"""A dataset on disk: read once, whoever asks; another one where something else decodes its pictures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from time import sleep

import pytest

import tests.support.karpathy_forms as forms
from kdbench_plugins.datasets.items import Item
from kdbench_plugins.datasets.ondisk import Index, OnDisk
from kdbench_plugins.datasets.shards import shard_index
from kdbench_plugins.datasets.webdataset import WebDataset


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    return forms.write_shards(tmp_path / "shards", "flickr30k", forms.write_json(tmp_path / "json", "flickr30k"))


def test_threads_share_one_reading_of_the_index(shards: Path) -> None:
    """Python does not lock a cached property: each thread would read every shard, and add to the notes."""
    found = shard_index(shards, "flickr30k")
    assert found is not None
    begun: list[int] = []

    def read() -> list[Item]:
        begun.append(1)
        sleep(0.01)  # in which the other threads ask
        return found.read()

    dataset = OnDisk("flickr30k", "", 32, Index(found.root, (), found.archives, read, found.notes))
    barrier = Barrier(4)

    def ask(_: int) -> tuple[int, tuple[str, ...]]:
        barrier.wait()
        return len(dataset.split("train").images), dataset.notes

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(4)))) == 1
    assert len(begun) == 1


def test_another_decoder_is_another_fingerprint(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may make other pixels of a file: they are decoded anew instead of refused as changed."""
    found = shard_index(shards, "flickr30k")
    assert found is not None

    def prints() -> list[str]:
        return [OnDisk("flickr30k", "", 32, found).fingerprint, WebDataset(root=shards, size=32).fingerprint]

    before = prints()
    assert prints() == before
    monkeypatch.setattr("PIL.features.version", lambda name: f"another {name}")
    assert not set(prints()) & set(before)
