"""`kdbench data`: what is wrong with files on disk is named, and can be left out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kdbench.data.dataset import CachedDataset
from kdbench.data.prepare import check
from kdbench.storage.cache import Cache
from kdbench_plugins.datasets.flickr30k import Flickr30k
from kdbench_plugins.datasets.miniature import write_miniature

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Flickr30k in miniature: 6, 2 and 2 pictures of noise, with two captions each."""
    rng = np.random.default_rng(0)
    pictures = [(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8), [f"noise {i}", f"dust {i}"]) for i in range(10)]
    write_miniature(tmp_path / "flickr", {"train": pictures[:6], "val": pictures[6:8], "test": pictures[8:]})
    return tmp_path / "flickr"


@pytest.fixture
def kdbench(typed: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Types a command under `kdbench data`."""
    monkeypatch.delenv("KDBENCH_FLICKR30K", raising=False)
    return partial(typed, "data")


def test_check_counts_and_gives_the_digest(kdbench: Command, root: Path) -> None:
    code, out, err = kdbench("check", "flickr30k", "size=32", "--root", root)
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["train", "6", "12", "6"] in lines
    assert ["validation", "2", "4", "2"] in lines
    assert lines[-1] == ["digest", check(Flickr30k(root=root, size=32)).digest]
    assert "train: found 6 images, expected 29,000 as published" in err


def test_problems_are_named_and_can_be_left_out(kdbench: Command, root: Path) -> None:
    broken = sorted((root / "flickr30k-images").iterdir())[3]
    broken.write_bytes(broken.read_bytes()[:200])
    code, out, err = kdbench("check", "flickr30k", "--root", root, "--quarantine", "list.txt")
    assert code == 1
    assert "digest" not in out
    [line] = [line for line in err.splitlines() if broken.name in line]
    assert "cannot be decoded (Truncated" in line
    assert "1 added to list.txt" in err
    code, out, _ = kdbench("check", "flickr30k", "quarantine=list.txt", "--root", root)
    assert (code, "digest" in out) == (0, True)
    assert kdbench("prepare", "flickr30k", "--root", root)[0] == 2  # without the list nothing is left out silently


def test_prepare_makes_what_a_run_would(kdbench: Command, root: Path, tmp_path: Path) -> None:
    code, out, _ = kdbench("prepare", "flickr30k", "size=32", "--root", root, "--jobs", 2)
    assert code == 0
    plain = CachedDataset(Flickr30k(root=root, size=32), Cache(tmp_path / "other"))
    assert out.rstrip().endswith(f"digest {plain.digest}")


def test_without_a_folder_it_says_what_to_get(kdbench: Command) -> None:
    code, _, err = kdbench("check", "flickr30k")
    assert code == 2
    assert "KDBENCH_FLICKR30K" in err
    assert kdbench("check", "flickr30")[0] == 2


def test_checking_loads_no_torch(root: Path) -> None:
    code = (
        f"import sys; sys.argv = ['kdbench', 'data', 'check', 'flickr30k', '--root', {str(root)!r}]\n"
        "from kdbench.cli import main\n"
        "try:\n    main()\nexcept SystemExit as error:\n    assert not error.code\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
