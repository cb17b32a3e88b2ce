"""Looking at a dataset before it is used, and decoding it ahead."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench import KdbenchError, Split, SplitName
from kdbench.data.dataset import CachedDataset
from kdbench.data.prepare import Problem, check, prepare, write_quarantine
from kdbench.storage.cache import Cache
from tests.support.patience import PATIENCE, until
from tests.support.toys import SPLITS, Beads, cached

BAD = {("train", 3): "cut short", ("train", 31): "not an image", ("test", 0): "cut short"}


class Images:
    """Beads' images, some of them bad."""

    def __init__(self, name: SplitName, images: Any) -> None:
        self.name = name
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> Any:
        if BAD.get((self.name, index)) == "cut short":
            raise KdbenchError(f"{self.name}/{index}.jpg: cut short")
        if BAD.get((self.name, index)) == "not an image":
            raise SyntaxError("broken PNG file")
        return self.images[index]


class Damaged(Beads):
    """Beads with sources and bad images."""

    def __init__(self, sources: bool = True) -> None:
        super().__init__()
        self.sources = sources

    def split(self, name: SplitName) -> Split:
        split = super().split(name)
        sources = [f"{name}/{index}.jpg" for index in range(len(split.images))] if self.sources else ()
        images: Any = Images(name, split.images)
        return Split(images, split.captions, split.image_concepts, split.caption_concepts, sources)


@pytest.mark.parametrize("jobs", [1, 3])
def test_counts_and_the_digest_of_the_records(tmp_path: Path, jobs: int) -> None:
    report = check(Beads(), jobs=jobs)
    assert report.digest == cached(tmp_path).digest
    assert {name: (c.images, c.captions, c.concepts) for name, c in report.counts.items()} == {
        "train": (32, 48, 16),
        "validation": (24, 36, 12),
        "test": (20, 30, 10),
    }
    assert (report.problems, report.differences, report.duplicates) == ([], [], [])
    assert check(Beads(seed=1), jobs=jobs).digest != report.digest


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_problem_is_told(jobs: int) -> None:
    report = check(Damaged(), jobs=jobs)
    assert report.problems == [
        Problem("train", 3, "train/3.jpg", "train/3.jpg: cut short"),
        Problem("train", 31, "train/31.jpg", "SyntaxError: broken PNG file"),
        Problem("test", 0, "test/0.jpg", "test/0.jpg: cut short"),
    ]
    assert report.digest is None
    assert report.counts["train"].images == 32


class Large(Beads):
    """Says that it is larger than it is."""

    size = 7


def test_images_of_another_size_are_problems() -> None:
    report = check(Large(), jobs=1)
    assert len(report.problems) == 32 + 24 + 20
    assert report.problems[0].error == "found uint8 of shape (6, 6, 3), expected uint8 of shape (7, 7, 3)"


class Leaking(Beads):
    """The fifth image of the test split is also in the training split."""

    def split(self, name: SplitName) -> Split:
        split = super().split(name)
        if name == "test":
            split.images[4][:] = super().split("train").images[7]
        return split


def test_images_in_two_splits_are_told() -> None:
    report = check(Leaking(), jobs=2)
    assert report.duplicates == [("train image 7", "test image 4")]
    assert report.problems == []
    assert report.digest is not None


def test_differences_from_published_counts() -> None:
    dataset: Any = Beads()
    dataset.published = {"train": (32, 48), "test": (1000, 30)}
    assert check(dataset, jobs=1).differences == ["test: found 20 images, expected 1,000 as published"]


def test_progress() -> None:
    told: list[tuple[str, int, int]] = []
    check(Beads(), lambda *report: told.append(report), jobs=2)
    for name, total in (("train", 32), ("validation", 24), ("test", 20)):
        found = [done for stage, done, of in told if stage == f"check {name} images" and of == total]
        assert found == sorted(found)
        assert (found[0], found[-1]) == (0, total)


def test_quarantine_files_grow(tmp_path: Path) -> None:
    path = tmp_path / "lists" / "quarantine.txt"
    problems = check(Damaged(), jobs=1).problems
    assert write_quarantine(path, problems[:2]) == 2
    assert write_quarantine(path, problems) == 1
    assert write_quarantine(path, []) == 0
    assert path.read_text() == "train/3.jpg\ntrain/31.jpg\ntest/0.jpg\n"
    with pytest.raises(KdbenchError, match=r"image 3 of the split train: its dataset does not name its file"):
        write_quarantine(path, check(Damaged(sources=False), jobs=1).problems)
    assert [file.name for file in path.parent.iterdir()] == ["quarantine.txt"]


@pytest.mark.parametrize("jobs", [1, 4])
def test_prepared_is_what_a_run_makes(tmp_path: Path, jobs: int) -> None:
    """Against the plainest way to write the same files."""
    entry = prepare(Beads(train=100), Cache(tmp_path), jobs).decoded
    for name in SPLITS:
        split = Beads(train=100).split(name)
        np.save(tmp_path / "images.npy", np.stack(list(split.images)))
        assert (entry.folder / f"{name}.images.npy").read_bytes() == (tmp_path / "images.npy").read_bytes()
    assert sorted(entry.files) == sorted(
        f"{name}.{what}"
        for name in SPLITS
        for what in ("images.npy", "image_concepts.npy", "caption_concepts.npy", "captions.json")
    )
    assert {path.name for path in entry.folder.iterdir()} == {*entry.files, "manifest.json"}
    found = CachedDataset(Beads(train=100), Cache(tmp_path))
    assert found.digest == entry.digest == cached(tmp_path / "other", Beads(train=100)).digest
    assert found.decoded.made == entry.made


def test_a_bad_image_stops_it_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=r"train/3.jpg: cut short"):
        prepare(Damaged(), Cache(tmp_path), jobs=2)
    assert [path.name for path in (tmp_path / "datasets").iterdir() if path.suffix != ".lock"] == []


PROCESS = """
import sys, time
from pathlib import Path
import numpy as np
from kdbench import Split
from kdbench.storage.cache import Cache
from kdbench.data.prepare import prepare

class Slow:
    size, licence, fingerprint = 4, "CC0", "slow"
    def __init__(self, told, stop): self.told, self.stop = told, stop
    def split(self, name):
        count = {"train": 600, "validation": 200, "test": 10}[name]
        slow = self
        class Images(list):
            def __getitem__(self, index):
                with slow.told.open("a") as stream:
                    stream.write(f"{name} {index}\\n")
                if name == "validation" and index == slow.stop:
                    time.sleep(3600)
                return np.random.default_rng([index, len(name)]).integers(0, 255, (4, 4, 3), dtype=np.uint8)
        return Split(Images(range(count)), ["a"] * count, np.arange(count), np.arange(count))

print(prepare(Slow(Path(sys.argv[2]), int(sys.argv[3])), Cache(Path(sys.argv[1])), int(sys.argv[4])).digest)
"""


def start(root: Path, told: Path, stop: int, jobs: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", PROCESS, str(root), str(told), str(stop), str(jobs)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_kill_costs_no_more_than_what_was_at_work(tmp_path: Path, jobs: int) -> None:
    killed = start(tmp_path / "cache", tmp_path / "first", 150, jobs)
    until(lambda: (tmp_path / "first").exists() and "validation 150\n" in (tmp_path / "first").read_text())
    listed = next((tmp_path / "cache" / "datasets").glob(".partial-*")) / "validation.images.npy.done"
    until(lambda: listed.read_text().splitlines())  # with two threads the first chunk may still be at work
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=PATIENCE)
    assert list(Cache(tmp_path / "cache").entries()) == []
    second = start(tmp_path / "cache", tmp_path / "second", -1, jobs)
    whole = start(tmp_path / "other", tmp_path / "third", -1, 1)
    digests = [process.communicate(timeout=PATIENCE)[0] for process in (second, whole)]
    assert digests[0] == digests[1] != ""
    again = (tmp_path / "second").read_text().split("\n")[:-1]
    assert sorted(again) == sorted([f"validation {i}" for i in range(128, 200)] + [f"test {i}" for i in range(10)])
    assert list((tmp_path / "cache" / "datasets").glob(".partial-*")) == []


def test_a_folder_killed_on_its_last_step_is_finished(tmp_path: Path) -> None:
    """With a manifest in it already, which is no file of the entry."""
    expected = prepare(Beads(), Cache(tmp_path), 1).decoded
    expected.folder.rename(expected.folder.with_name(f".partial-{expected.folder.name}"))
    found = prepare(Beads(), Cache(tmp_path), 1).decoded
    assert (found.folder, found.digest, found.files) == (expected.folder, expected.digest, expected.files)
    found.verify()
