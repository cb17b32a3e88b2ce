"""Shards and pictures of which a part would be lost, or filled in."""

from __future__ import annotations

from pathlib import Path

from tests.support.case_inputs import SPLITS, Type, counts_of, jpeg, picture, write_shards, write_table


def test_a_key_with_a_dot_is_a_sample(typed: Type, tmp_path: Path) -> None:
    """All six test pairs are read."""

    def sample(split: str, place: int, number: int) -> tuple[str, bytes]:
        return (f"photo.{number:05}" if split == "test" and place % 2 else f"{number:05}"), f"picture {number}".encode()

    write_shards(tmp_path / "root", sample)
    code, out, err = typed("data", "check", "webdataset", "root=root", "size=32")
    assert code == 0, err
    assert counts_of(out) == [(8, 8), (4, 4), (6, 6)]


def test_a_pair_with_an_empty_caption_is_named_and_left_out(typed: Type, tmp_path: Path) -> None:
    write_shards(tmp_path / "root", lambda _, __, number: (f"{number:05}", b"" if number == 2 else b"a picture"))
    code, _, err = typed("data", "check", "webdataset", "root=root", "size=32", "--quarantine", "q.txt")
    assert code == 1
    assert "00002" in err
    assert "00002" in (tmp_path / "q.txt").read_text(encoding="utf-8")
    code, out, err = typed("data", "check", "webdataset", "root=root", "size=32", "quarantine=q.txt")
    assert code == 0, err
    assert counts_of(out) == [(7, 7), (4, 4), (6, 6)]


def test_keys_that_begin_anew_in_each_split_are_no_leak(typed: Type, tmp_path: Path) -> None:
    """As an exporter writes one split after another."""
    write_shards(tmp_path / "root", lambda _, place, number: (f"s{place:07}", f"picture {number}".encode()))
    code, out, err = typed("data", "check", "flickr30k", "root=root", "form=webdataset", "size=32")
    assert code == 0, err
    assert counts_of(out) == [(8, 8), (4, 4), (6, 6)]


def test_a_jpeg_that_lost_half_its_data_is_damaged(typed: Type, tmp_path: Path) -> None:
    """Also with an end mark: a decoder would fill the rest with grey."""
    write_table(tmp_path)
    for number in range(len(SPLITS)):
        whole = jpeg(picture(number, 320, 240))
        (tmp_path / f"{number}.jpg").write_bytes(whole[: len(whole) // 2] + b"\xff\xd9" if number == 14 else whole)
    code, _, err = typed("data", "check", "folder", "table=t.csv", "size=128", "--quarantine", "q.txt")
    assert code == 1
    assert "14.jpg" in err
    code, out, err = typed("data", "check", "folder", "table=t.csv", "size=128", "quarantine=q.txt")
    assert code == 0, err
    assert counts_of(out) == [(8, 8), (4, 4), (5, 5)]
