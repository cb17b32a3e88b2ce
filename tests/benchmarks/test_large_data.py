"""3 million pairs need no more memory than 30 thousand: the peak of a training of 200 steps, in processes of their own.

VmHWM counts all that a process holds, pages of mapped files among it. What is measured is the whole of a run from its spec,
teachers and tokens in the cache: opening and checking the cache's files, shuffling, training, a checkpoint. What is made
before, by other processes, is measured too, and only told of.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import run
from typing import Any, overload

import numpy as np
import pytest
from numpy.typing import NDArray

from kdbench import PLACE, Encoder, Modality, PlacedImages, Split, SplitName
from tests.support.paths import ROOT

PAIRS = (30_000, 3_000_000)
STEPS, BATCH, SIDE, HELD_OUT = 200, 128, 4, 500
MOST = 1.2  # times the peak at the smaller size


class Lazy(Sequence[Any]):
    """Images or captions, each made of its number when asked for."""

    def __init__(self, first: int, count: int, text: bool) -> None:
        self.first, self._count, self.text = first, count, text

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(self._count))]
        if not 0 <= place < self._count:
            raise IndexError(place)
        digits = noise(self.first + place)
        return " ".join(str(digit) for digit in digits[:8]) if self.text else digits.reshape(SIDE, SIDE, 3)


def noise(number: int) -> NDArray[np.uint8]:
    """48 bytes that follow from a number."""
    return np.frombuffer((number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 127)).to_bytes(16, "little") * 3, dtype=np.uint8)


class Numbers:
    """`pairs` images and as many captions, one for each. Streamed, an image lies at the place of its number."""

    size = SIDE
    licence = "CC0"

    def __init__(self, *, pairs: int, streamed: bool) -> None:
        self.pairs = pairs
        self.streamed = streamed
        self.fingerprint = f"numbers {pairs}"

    def split(self, name: SplitName) -> Split:
        first = {"train": 0, "validation": self.pairs, "test": self.pairs + HELD_OUT}[name]
        count = self.pairs if name == "train" else HELD_OUT
        concepts = np.arange(first, first + count)
        images: Sequence[Any] = Lazy(first, count, False)
        if self.streamed:
            places = np.zeros(count, dtype=PLACE)
            places["offset"] = concepts
            images = PlacedImages(self.read_image, ["numbers"], places)
        return Split(images, Lazy(first, count, True), concepts, concepts)

    def read_image(self, file: str, offset: int, size: int) -> NDArray[np.uint8]:  # noqa: ARG002
        return noise(offset).reshape(SIDE, SIDE, 3)


def child(pairs: int, streamed: bool, folder: Path, task: str) -> None:
    """Prepares the cache, or trains; tells the peak of its memory in MB and the seconds it took."""
    import torch

    from kdbench import Offer, Progress
    from kdbench.deploy.profile.process_memory import peak
    from kdbench.runs.context import RunContext
    from kdbench.runs.execute import execute, prepare
    from kdbench.storage.cache import Cache
    from tests.support.toys import plugged, run_spec, toy_plugins

    torch.set_num_threads(1)

    class Enough(BaseException):
        """200 steps have been made."""

    def watch(progress: Progress) -> None:
        if progress.stage == "train" and progress.done == STEPS:
            raise Enough

    offers: dict[str, Any] = {
        "datasets": [Offer("numbers", Numbers)],
        "teachers": [Offer("guess", Guess)],
        "students": [Offer("small", small)],
    }
    context = RunContext(toy_plugins(**offers), Cache(folder / "cache"), folder / "results", on_progress=watch)
    team = [plugged("guess", name, width=width) for name, width in (("a", 64), ("b", 96))]
    train = {"epochs": 3, "batch_size": BATCH, "checkpoint_every": 100}
    dataset = plugged("numbers", pairs=pairs, streamed=streamed)
    spec = run_spec(team, dataset=dataset, student=plugged("small"), strategy=plugged("ammkd"), train=train)
    started = time.perf_counter()
    if task == "prepare":
        from kdbench.tasks.retrieval.embeddings import encode_split

        for teacher in team:
            prepare(spec.task, dataset, teacher, context, "")
        for name in ("train", "validation", "test"):
            encode_split(context.open(context.task(spec.task), dataset, ""), small(), name)
    else:
        try:
            found = execute(spec, context)
            raise AssertionError(f"the run ended early: {found.status} {found.reason}")
        except Enough:
            pass
    print(peak(), time.perf_counter() - started)


class Flat:
    """The pixels of images, or the numbers of captions, as floats or as they are."""

    base: Encoder | None = None

    def __init__(self, modality: Modality, width: int = 0) -> None:
        self.modality: Modality = modality
        self.width = width
        self.key = f"flat {modality} {width}"

    def encode(self, items: Any, device: str) -> Any:
        import torch

        if self.modality == "text":
            values = torch.tensor([[int(number) for number in item.split()] for item in items], dtype=torch.int16)
        else:
            values = torch.from_numpy(np.array(items)).flatten(1)
        if not self.width:
            return values.to(device)
        matrix = torch.randn(values.shape[1], self.width, generator=torch.Generator().manual_seed(self.width))
        return torch.nn.functional.normalize((values.float() - 128) @ matrix, dim=1).to(device)


class Guess:
    """A teacher of two random projections."""

    def __init__(self, *, width: int = 64) -> None:
        self.width = width

    def towers(self, lesson: Any) -> Any:  # noqa: ARG002
        from kdbench import Towers

        return Towers(Flat("image", self.width), Flat("text", self.width), 10.0)


def small() -> Any:
    """A student of two linear towers."""
    import torch
    from torch import Tensor, nn

    from tests.support.toys import Toy

    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image, self.text = nn.Linear(3 * SIDE**2, 32), nn.Linear(8, 32)
            self.logit_scale = nn.Parameter(torch.tensor(2.0))

        def encode_image(self, images: Tensor) -> Tensor:
            return nn.functional.normalize(self.image(images.float() / 255), dim=1)

        def encode_text(self, texts: Tensor) -> Tensor:
            return nn.functional.normalize(self.text(texts.float() / 255), dim=1)

    student = Toy(Linear(), 32)
    student.images, student.texts = Flat("image"), Flat("text")
    return student


def measured(pairs: int, streamed: bool, folder: Path, task: str) -> tuple[float, float]:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import tests.benchmarks.test_large_data as t; "
    code += f"t.child({pairs}, {streamed}, t.Path({str(folder)!r}), {task!r})"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    most, seconds = map(float, done.stdout.split()[-2:])
    return most, seconds


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell")
@pytest.mark.parametrize("streamed", [False, True])
def test_three_million_pairs_need_no_more_memory_than_thirty_thousand(tmp_path: Path, streamed: bool) -> None:
    peaks = []
    for pairs in PAIRS:
        prepared, preparing = measured(pairs, streamed, tmp_path, "prepare")
        stored = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file())
        most, seconds = measured(pairs, streamed, tmp_path, "train")
        print(f"\n{pairs:9,} pairs{', streamed' * streamed}: peak {most:.0f} MB in {seconds:.0f} s and {STEPS} steps;", end=" ")
        print(f"{stored / 1e6:,.0f} MB on disk, made in {preparing:.0f} s with a peak of {prepared:.0f} MB")
        peaks.append(most)
        shutil.rmtree(tmp_path / "cache")
    print(f"ratio {peaks[1] / peaks[0]:.3f}")
    assert peaks[1] <= MOST * peaks[0]
