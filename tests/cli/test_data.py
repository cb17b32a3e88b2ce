"""`kdbench data`: what is wrong with files on disk is named, and can be left out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kdbench import Dataset, Offer, Split, SplitName, hookimpl
from kdbench.data.dataset import CachedDataset
from kdbench.data.prepare import check
from kdbench.plugins.loading import Plugins
from kdbench.storage.cache import Cache
from kdbench_plugins.datasets.flickr30k import Flickr30k
from kdbench_plugins.datasets.miniature import write_miniature
from tests.conftest import Shapes

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


class Leaking(Shapes):
    def split(self, name: SplitName) -> Split:
        return super().split("train" if name == "test" else name)


class Broken(Shapes):
    def split(self, name: SplitName) -> Split:
        raise FileNotFoundError(2, "No such file or directory", f"{name}.csv")


class Wrong:
    @hookimpl
    def kdbench_datasets(self) -> list[Offer[Dataset]]:
        return [Offer("leaking", Leaking), Offer("broken", Broken)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("leaking", "leaking: test split, images 0, 1, 2 and 37 more: found 40 concepts of the train split; expected concepts"),
        (
            "broken",
            "the dataset broken raised FileNotFoundError: [Errno 2] No such file or directory: 'train.csv' (test_data.py",
        ),
    ],
)
def test_wrong_indices_are_refused_before_decoding(
    name: str, said: str, typed: Command, plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins.register(Wrong(), "tests:wrong")
    monkeypatch.setattr("kdbench.plugins.loading.installed", lambda: plugins)
    for verb in ("check", "prepare"):
        code, out, err = typed("data", verb, name)
        assert (code, out) == (2, "")
        assert err.lstrip().startswith(said)  # after the line that the progress bar leaves


def test_rows_without_a_caption_are_named_and_can_be_left_out(kdbench: Command, root: Path) -> None:
    """In a table, whose captions are read before any picture."""
    pictures = sorted((root / "flickr30k-images").iterdir())
    splits = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    captions = ["noise", "", "dust", "nan", *["more"] * 6]
    rows = [
        f"flickr30k-images/{path.name},{split},{text}" for path, split, text in zip(pictures, splits, captions, strict=True)
    ]
    (root / "table.csv").write_text("\n".join(["image,split,caption", *rows]) + "\n")
    code, _, err = kdbench("check", "folder", f"table={root / 'table.csv'}", "size=32", "--quarantine", "list.txt")
    assert code == 1
    assert f"table.csv: row 2 (flickr30k-images/{pictures[1].name}): caption 1 is empty" in err
    assert f"row 4 (flickr30k-images/{pictures[3].name}): caption 1: found 'nan', which stands for a missing value" in err
    assert "2 items cannot be used" in err
    code, out, _ = kdbench("check", "folder", f"table={root / 'table.csv'}", "size=32", "quarantine=list.txt")
    assert (code, "digest" in out) == (0, True)
    assert ["train", "4", "4", "4"] in [line.split() for line in out.splitlines()]


@pytest.mark.parametrize("axes", ["NTHW", "NHTW"])
def test_fields_are_checked_and_prepared_alike(kdbench: Command, tmp_path: Path, axes: str) -> None:
    np.save(tmp_path / "u.npy", np.random.default_rng(0).standard_normal((10, 8, 4, 8)).astype(np.float32))
    params = (f"path={tmp_path / 'u.npy'}", f"axes={axes}", "history=2", "horizon=2", "test=0.2")
    code, out, err = kdbench("check", "field_folder", *params)
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["split", "trajectories", "samples", "frames", "channels", "height", "width"]
    height = "4" if axes == "NTHW" else "8"
    assert ["test", "2", "2", "4", "1", height, "8"] in lines
    assert f"note: u.npy read as {axes}" in err
    code, out, _ = kdbench("prepare", "field_folder", *params)
    assert (code, out.split()[-1]) == (0, lines[-1][1])


def test_a_single_trajectory_to_test_on_is_refused(kdbench: Command, tmp_path: Path) -> None:
    np.save(tmp_path / "u.npy", np.zeros((5, 8, 4, 4), np.float32))
    code, _, err = kdbench("check", "field_folder", f"path={tmp_path / 'u.npy'}", "axes=NTHW", "history=2", "horizon=2")
    assert code == 2
    assert "field_folder: test split: found a single trajectory; expected at least 2" in err
