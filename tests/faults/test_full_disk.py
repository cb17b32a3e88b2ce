"""Runs whose results or cache have no room or cannot be written: one message each, nothing half-written, the same end later."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdbench import Split, SplitName
from kdbench.records.files import record_path
from kdbench.records.record import Record
from kdbench.records.verify import verify
from kdbench.runs.context import RunContext
from kdbench.runs.once import execute_once
from kdbench.storage.cache import Cache
from kdbench.suite.spec import RunSpec
from tests.support.fault_tally import Lost
from tests.support.small_disk import protect, resize, small_disk
from tests.support.toys import Beads, cached, run_spec, toy_plugins

ROOM = 64 << 20  # bytes: enough
SIZES = [page << 12 for page in (1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48)]
FULL = r".*: found .* free; expected .*\. Make room or name another folder by --results or --cache; what is finished is kept"
PROTECTED = r".*: found a read-only file system; expected one that can be written\. Make it so or name another folder .*"
SPEC = run_spec(train={"checkpoint_every": 1})


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """The run where there is room."""
    return executed(tmp_path_factory.mktemp("calm"))


def executed(folder: Path, spec: RunSpec = SPEC) -> Record:
    return execute_once(spec, RunContext(toy_plugins(), Cache(folder / "cache"), folder / "results"))


def half_written(folder: Path) -> list[Path]:
    """What no later attempt would use; the folder of an unfinished entry, which the cache resumes, has another name."""
    return list(folder.rglob("*.partial"))


@pytest.mark.fault("a full disk under results or cache")
@pytest.mark.parametrize("which", ["results", "cache"])
@pytest.mark.parametrize("size", SIZES)
def test_a_full_disk(size: int, which: str, calm: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_disk(tmp_path / which, size) as small:
        record = executed(tmp_path)
        if record.status != "ok":
            assert record.status == "failed"
            assert re.fullmatch(FULL, record.reason), record.reason
            assert str(small) in record.reason
        assert "Traceback" not in capsys.readouterr().err
        assert half_written(tmp_path) == []
        resize(small, ROOM)
        again = executed(tmp_path)
        if (again.status, again.arrays_sha256) != ("ok", calm.arrays_sha256):
            raise Lost(f"{again.status}: {again.reason}")
        assert verify([tmp_path / "results"], toy_plugins())[1] == []


@pytest.mark.fault("results or cache that cannot be written")
@pytest.mark.parametrize("which", ["results", "cache"])
def test_a_protected_disk(which: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_disk(tmp_path / which, ROOM) as small:
        protect(small)
        record = executed(tmp_path)
        assert record.status == "failed"
        assert re.fullmatch(PROTECTED, record.reason), record.reason
        assert "Traceback" not in capsys.readouterr().err


@pytest.mark.fault("a full disk under results or cache")
def test_a_repetition_on_a_full_disk_leaves_the_record(tmp_path: Path) -> None:
    with small_disk(tmp_path / "results", ROOM) as small:
        record = executed(tmp_path)
        used = sum(path.stat().st_blocks * 512 for path in small.rglob("*"))
        resize(small, used + (1 << 12))
        other = executed(tmp_path, SPEC.replace(seed=1))
        assert other.status == "failed"
        path = record_path(tmp_path / "results", SPEC.suite, SPEC.run_id)
        if not path.is_file():
            raise Lost(path)
        assert executed(tmp_path) == record


@pytest.mark.fault("a full disk under a memory map")
@pytest.mark.parametrize("images", [60, 120, 240])
def test_pixels_that_find_no_room(images: int, tmp_path: Path) -> None:
    """A page of a memory map that finds none would end the process with SIGBUS."""

    class Large(Beads):
        size = 64

        def split(self, name: SplitName) -> Split:
            found = super().split(name)
            return replace(found, images=[np.tile(image, (11, 11, 1))[:64, :64] for image in found.images])

    dataset = Large(train=images)
    dataset.fingerprint += " large"
    with small_disk(tmp_path / "cache", 1 << 20) as small:
        with pytest.raises(OSError, match=r"kB|MB") as raised:
            cached(tmp_path, dataset).split("train")
        assert raised.value.filename.startswith(str(small))
        resize(small, ROOM)
        assert len(cached(tmp_path, dataset).split("train").images) == 2 * images
