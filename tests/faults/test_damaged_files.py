"""Each file that kdbench writes is damaged in eleven ways: what it held is made again, or a command says which file it is.

A suite of toys with a study is executed, and another one interrupted. Then one file at a time is damaged, of each kind that
they leave in results and cache, and the same commands are typed again. All ranks are those of an undisturbed machine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kdbench import Offer, Signal
from kdbench.cli import sweep  # noqa: F401  # registers the command
from tests.support.command_plugins import add_first_party
from tests.support.fault_tally import Lost
from tests.support.sweeping import suite_path
from tests.support.toys import toy_plugins

Command = Callable[..., tuple[int, str, str]]
HERE = ["--results", "results", "--cache", "cache", "--engine", "in_process"]
FILES = 24  # kinds of them
COMMANDS = [["sweep", "sweep.yaml", *HERE, "--only-tune"], ["run", "stops.yaml", *HERE, "--no-profile"]]
STUDY = (
    ("teams: [[], [a, b]]", "teams: [[a, b]]"),
    ("strategies: [equal, ammkd]", "strategies: [equal]"),
    ("    ammkd:\n      C: {low: 0.5, high: 1}\n", "    equal: {}\n"),
    ("trials: 4", "trials: 2\n  pruner: none"),
)


class Stopping:
    """Equal weights. It is interrupted in the middle as long as a file says so."""

    def weigh(self, signal: Signal) -> Tensor:
        if Path("stop").exists() and signal.batch.progress > 0.6:
            raise KeyboardInterrupt
        return torch.full((len(signal.teachers),), 1 / len(signal.teachers))


def flipped(place: float) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[int(place * len(content))] ^= 4
        path.write_bytes(content)

    return damage


def replaced(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        path.unlink()
        make(path)

    return damage


DAMAGES: dict[str, Callable[[Path], object]] = {
    **{f"a bit at {place}": flipped(place) for place in (0.02, 0.5, 0.98)},
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "emptied": lambda path: path.write_bytes(b""),
    "removed": Path.unlink,
    "a folder": replaced(Path.mkdir),
    "a link to nothing": replaced(lambda path: path.symlink_to("nothing")),
    "a link to itself": replaced(lambda path: path.symlink_to(path.name)),
    "a pipe": replaced(os.mkfifo),
    "a link to a device": replaced(lambda path: path.symlink_to("/dev/zero")),
}


@pytest.fixture
def kdbench(typed: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    found = add_first_party(toy_plugins(strategies=[Offer("stopping", Stopping)]))
    monkeypatch.setattr("kdbench.plugins.loading.installed", lambda: found)
    return typed


def prepared(kdbench: Command) -> None:
    """Results and cache of a study that has ended and of a run that has stopped, in this folder."""
    text = suite_path(Path(), *STUDY).read_text()
    stops = text[: text.index("sweep:")].replace("[equal]", "[stopping]").replace("seeds: [0, 1]", "seeds: [0]")
    Path("stops.yaml").write_text(stops.replace("name: toys", "name: stops"))
    Path("stop").touch()
    assert kdbench("run", "sweep.yaml", *HERE, "--no-profile")[0] == 0
    assert [kdbench(*command)[0] for command in COMMANDS] == [0, 130]
    Path("stop").unlink()


def kinds(folder: Path) -> Iterator[Path]:
    """A file of each kind: of several with the same name, or results of several runs, the first."""
    seen = set()
    for path in sorted(path.relative_to(folder) for root in ("results", "cache") for path in (folder / root).rglob("*")):
        kind = (*path.parts[:2], path.name if path.parts[0] == "cache" else (path.parent.name, path.suffixes))
        if (folder / path).is_file() and str(kind) not in seen:
            seen.add(str(kind))
            yield path


def ranks() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path("results").rglob("*.npz")) if path.is_file()}


def again(kdbench: Command) -> str:
    """All commands once more; what they say."""
    told = ""
    for command in [*COMMANDS, ["run", "sweep.yaml", *HERE, "--no-profile"], ["verify", "results"], ["leaderboard", "results"]]:
        code, out, err = kdbench(*command)
        assert code in (0, 1, 2), err
        assert "Traceback" not in out + err
        told += out + err
    return told


@pytest.mark.faults
@pytest.mark.fault("a damaged file of results or cache", times=FILES * len(DAMAGES))
def test_each_file_is_made_again_or_named(kdbench: Command, tmp_path: Path) -> None:
    prepared(kdbench)
    shutil.copytree(tmp_path, tmp_path.with_name("whole"))
    again(kdbench)
    calm, files = ranks(), list(kinds(tmp_path.with_name("whole")))
    assert len(files) == FILES, files
    for file in files:
        for name, damage in DAMAGES.items():
            for folder in ("results", "cache"):
                shutil.rmtree(folder)
                shutil.copytree(tmp_path.with_name("whole") / folder, folder)
            damage(file)
            told = again(kdbench)
            found = ranks()
            if found.keys() != calm.keys() and file.name not in told:
                raise Lost(f"{file}, {name}: {told}")
            other = [one for one in found if found[one] != calm[one]]
            assert not other or file.name in told, f"{file}, {name}: {told}"
