"""Training state on disk: bit for bit, whole or not at all, and never a pickle."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from kdbench.errors import KdbenchWarning
from kdbench.storage import checkpoint
from tests.support.toys import SharedTowers, TwoTowers


def assert_same(found: Any, expected: Any) -> None:
    """Equal in types and to the last bit; tuples come back as lists."""
    if isinstance(expected, Tensor):
        assert isinstance(found, Tensor)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.contiguous().view(torch.uint8).equal(expected.contiguous().view(torch.uint8)) if expected.dim() else True
        assert found.equal(expected) or bool(expected.isnan().any())
    elif isinstance(expected, dict):
        assert [(type(key), key) for key in found] == [(type(key), key) for key in expected]
        for key, value in expected.items():
            assert_same(found[key], value)
    elif isinstance(expected, list | tuple):
        assert isinstance(found, list)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert type(found) is type(expected)
        assert found == expected or (math.isnan(found) and math.isnan(expected))


STATE = {
    "nothing": None,
    "truth": [True, False],
    "numbers": [0, -7, 2**62, 0.1, -0.0, 1e-300, math.inf, math.nan],
    "text": ["", "naïve “quotes” \\ \n", "__tensor__", "__items__"],
    "nested": {0: {"a": [{}, [], {"b": torch.arange(3)}]}, 1: torch.zeros(2, 0), -1: "minus"},
    "tuple": (0.9, 0.999),
    "__items__": {"__tensor__": "0"},
    "scalar": torch.tensor(2.5),
    "strange": torch.tensor([math.nan, math.inf, -0.0, 1e-45]),
    "strided": torch.arange(12.0).reshape(3, 4).T[1:],
    "needs gradient": torch.ones(2, requires_grad=True),
}


def test_state_comes_back_as_it_was(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "state.safetensors", STATE)
    assert_same(checkpoint.load(tmp_path / "state.safetensors"), STATE)


FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize(
    "dtype",
    [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, *FLOATS],
)
def test_tensors_of_every_type(tmp_path: Path, dtype: torch.dtype) -> None:
    values = (torch.randn(3, 5, generator=torch.Generator().manual_seed(0)) * 3).to(dtype)
    checkpoint.save(tmp_path / "state", {"values": values})
    assert_same(checkpoint.load(tmp_path / "state"), {"values": values})


def test_tensors_that_share_memory(tmp_path: Path) -> None:
    values = torch.arange(6.0)
    state = {"all": values, "same": values, "part": values[2:4], "reshaped": values.view(2, 3)}
    checkpoint.save(tmp_path / "state", state)
    assert_same(checkpoint.load(tmp_path / "state"), state)


def test_state_without_tensors_and_tensors_without_state(tmp_path: Path) -> None:
    states: list[Any] = [{}, [], None, 3, {"step": 3}, torch.arange(3)]
    for state in states:
        checkpoint.save(tmp_path / "state", state)
        assert_same(checkpoint.load(tmp_path / "state"), state)


def take_steps(module: TwoTowers, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        images = torch.randint(0, 256, (8, 6, 6, 3), dtype=torch.uint8)
        texts = torch.randint(0, 3, (8, 6))
        (module.encode_image(images) - module.encode_text(texts)).square().sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def test_an_optimiser_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = TwoTowers(4)
    optimizer = torch.optim.AdamW(module.parameters(), fused=True)
    take_steps(module, optimizer, 3)
    state = {"module": module.state_dict(), "optimizer": optimizer.state_dict(), "rng": torch.get_rng_state()}
    checkpoint.save(tmp_path / "state", state)
    take_steps(module, optimizer, 3)

    other = TwoTowers(4)
    again = torch.optim.AdamW(other.parameters(), fused=True)
    loaded: Any = checkpoint.load(tmp_path / "state")
    other.load_state_dict(loaded["module"])
    again.load_state_dict(loaded["optimizer"])
    torch.set_rng_state(loaded["rng"])
    take_steps(other, again, 3)
    assert_same(other.state_dict(), dict(module.state_dict()))
    assert_same(again.state_dict()["state"], optimizer.state_dict()["state"])


def test_weights_are_a_plain_file_whatever_memory_they_share(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, other = SharedTowers(4), SharedTowers(4)
    checkpoint.save_weights(tmp_path / "weights.safetensors", module)
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    assert_same(other.state_dict(), dict(module.state_dict()))


def test_a_save_that_fails_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    checkpoint.save(path, {"step": 1, "values": torch.ones(3)})

    def no_disk(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", no_disk)
    with pytest.raises(OSError, match="no space left"):
        checkpoint.save(path, {"step": 2, "values": torch.zeros(3)})
    monkeypatch.undo()
    assert_same(checkpoint.load(path), {"step": 1, "values": torch.ones(3)})
    checkpoint.save(path, {"step": 3})
    assert checkpoint.load(path) == {"step": 3}
    assert list(tmp_path.iterdir()) == [path]


def test_no_file(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path / "none") is None


@pytest.mark.fault("a damaged checkpoint")
def test_a_file_cut_short_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "state"
    checkpoint.save(path, {"step": 1, "values": torch.arange(5)})
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert checkpoint.load(path) is None


def test_other_files_are_no_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"not a checkpoint at all, but long enough to look like one")
    assert checkpoint.load(path) is None
    save_file({"values": torch.ones(2)}, path)
    assert checkpoint.load(path) is None


@pytest.mark.fault("a damaged checkpoint")
def test_no_flipped_bit_is_read(tmp_path: Path) -> None:
    """Header, skeleton and tensors: a checkpoint that is damaged is none."""
    path = tmp_path / "state"
    checkpoint.save(path, {"step": 1, 5: [None, torch.arange(5)]})
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        assert checkpoint.load(path) is None, f"byte {place}: {whole[place]:#04x}"


def put_folder(path: Path) -> None:
    path.mkdir()
    (path / "file").touch()


@pytest.mark.fault("a damaged checkpoint")
@pytest.mark.parametrize("put", [put_folder, os.mkfifo, lambda path: path.symlink_to("nothing")])
def test_what_lies_in_the_place_of_a_checkpoint_is_removed(put: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "state"
    put(path)
    with pytest.warns(KdbenchWarning, match="is removed and the training starts anew: it is no plain file"):
        assert checkpoint.Checkpoint(path).load() is None
    assert not os.path.lexists(path)


def test_there_is_no_pickle_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    checkpoint.save(path, STATE)
    content = path.read_bytes()
    assert b"PK\x03\x04" not in content  # torch.save's archive
    assert not content.startswith(b"\x80")
    assert content[8:9] == b"{"  # a safetensors header


class Marked:
    """Something only pickle could save."""


@pytest.mark.parametrize("value", [Marked(), {"deep": [Marked()]}, {1, 2}, b"bytes", 1j])
def test_what_cannot_be_saved_is_refused_by_its_type(tmp_path: Path, value: Any) -> None:
    name = "Marked" if isinstance(value, dict) else type(value).__name__
    with pytest.raises(TypeError, match=f"cannot save {name}"):
        checkpoint.save(tmp_path / "state", {"value": value})
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_is_of_one_training(tmp_path: Path) -> None:
    """Another one's is removed, and so is a damaged one; both are told."""
    asked: list[str] = []

    def changes(origin: str) -> str:
        asked.append(origin)
        return "" if origin == "mine" else f"it is of {origin}"

    path = tmp_path / "state"
    mine, theirs = (checkpoint.Checkpoint(path, origin, changes) for origin in ("mine", "another"))
    assert mine.load() is None
    mine.save({"step": 1})
    assert mine.load() == {"step": 1}
    theirs.save({"step": 2})
    with pytest.warns(KdbenchWarning, match="state is removed and the training starts anew: it is of another"):
        assert mine.load() is None
    assert asked == ["mine", "another"]
    assert not path.exists()
    for content in (b"", b"not a checkpoint at all, but long enough to look like one"):
        path.write_bytes(content)
        with pytest.warns(KdbenchWarning, match="starts anew: it is damaged"):
            assert mine.load() is None
        assert not path.exists()
    save_file({"values": torch.ones(2)}, path, {"state": "{}", "format": "of another program"})
    with pytest.warns(KdbenchWarning, match="starts anew: found a header with format, state, expected that of a checkpoint"):
        assert mine.load() is None
