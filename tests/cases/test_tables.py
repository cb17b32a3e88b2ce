"""Tables that a lenient parser would read as something else."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.case_inputs import SPLITS, Type, counts_of, jpeg, picture, write_pictures, write_table


def test_an_unquoted_comma_cuts_no_caption(typed: Type, tmp_path: Path) -> None:
    """The rest of the row belongs to no column: the row is refused."""
    write_table(tmp_path, "a man in a hat, number {}, walking a dog")
    code, out, err = typed("data", "check", "folder", "table=t.csv", "size=32")
    assert (code, out) == (2, "")
    assert "t.csv: row 1: " in err


def test_a_repeated_column_is_refused(typed: Type, tmp_path: Path) -> None:
    """Of two columns called caption neither wins in silence."""
    write_table(tmp_path, "first told {0},second told {0}", header="image,split,caption,caption")
    code, out, err = typed("data", "check", "folder", "table=t.csv", "size=32")
    assert (code, out) == (2, "")
    assert "t.csv" in err
    assert "caption" in err


def test_a_list_as_python_writes_it_is_no_caption(typed: Type, tmp_path: Path) -> None:
    """As pandas writes a column of lists: each is refused with its row."""
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["image", "split", "caption"])
        for i, (name, split) in enumerate(zip(write_pictures(tmp_path), SPLITS, strict=True)):
            rows.writerow([name, split, str([f"a dog number {i}", f"a puppy, {i}", "one dog", f"it's a dog {i}", f"dog {i}"])])
    code, out, err = typed("data", "check", "folder", "table=t.csv", "size=32")
    assert (code, out) == (1, "")
    assert "t.csv: row 1 (0.jpg): caption 1: found" in err
    assert "18 items cannot be used" in err


def test_half_a_surrogate_pair_is_refused_with_its_row(typed: Type, tmp_path: Path) -> None:
    """As a text cut in the middle of an emoji has it."""
    rows = zip(write_pictures(tmp_path), SPLITS, strict=True)
    lines = [
        json.dumps({"image": name, "split": split, "caption": "a cat \ud83d" if i == 14 else f"plain {i}"})
        for i, (name, split) in enumerate(rows)
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    code, _, err = typed("data", "check", "folder", "table=t.jsonl", "size=32")
    assert code in (1, 2)
    assert "t.jsonl: row 15" in err


def test_parquet_pictures_of_one_file_name_are_two(typed: Type, tmp_path: Path) -> None:
    """Two pictures each have one name, as where folders were lost: none is dropped, no caption goes to another picture."""
    rows = [
        {"image": {"bytes": jpeg(picture(i)), "path": f"{split}{i // 2}.jpg"}, "caption": f"picture {i}", "split": split}
        for i, split in enumerate(SPLITS)
    ]
    (tmp_path / "root").mkdir()
    pq.write_table(pa.table({key: [row[key] for row in rows] for key in rows[0]}), tmp_path / "root" / "data.parquet")
    code, out, err = typed("data", "check", "flickr30k", "root=root", "form=parquet", "size=32")
    assert code == 0, err
    assert counts_of(out) == [(8, 8), (4, 4), (6, 6)]


@pytest.mark.parametrize("name", ["photo.{}.jpg", "a.b.{}.c.jpg", "{}.jpg"])
def test_karpathy_names_are_whole(typed: Type, tmp_path: Path, name: str) -> None:
    """What stands before a dot names no picture."""
    folder = tmp_path / "root" / "flickr30k-images"
    images = [
        {
            "filename": one,
            "imgid": i,
            "split": split,
            "sentences": [{"raw": f"{word} {i}"} for word in ("one", "two", "three", "four", "five")],
        }
        for i, (one, split) in enumerate(zip(write_pictures(folder, name), SPLITS, strict=True))
    ]
    described = json.dumps({"images": images, "dataset": "flickr30k"})
    (tmp_path / "root" / "dataset_flickr30k.json").write_text(described, encoding="utf-8")
    code, out, err = typed("data", "check", "flickr30k", "root=root", "size=32")
    assert code == 0, err
    assert counts_of(out) == [(8, 40), (4, 20), (6, 30)]
