"""Tables of every form: strict, and refused with file and row."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench import KdbenchError
from kdbench_plugins.tables.read import csv_header, csv_table, read_table

WORDS = ("train", "test")


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "t.csv",
            "image,split,caption\n1.jpg,train,in a hat, alone\n",
            "row 1: found 4 fields in line 2; expected 3, as in the header. Quote",
        ),
        (
            "t.csv",
            "image,split,caption\n1.jpg,train,a\n2.jpg,train\n",
            "row 2: found 2 fields in line 3; expected 3, as in the header. Is the",
        ),
        ("t.csv", "image,caption,caption\n1.jpg,a,b\n", "line 1: found the column 'caption' twice; expected each once"),
        ("t.csv", "image,caption, caption\n1.jpg,a,b\n", "found the column 'caption' twice"),
        ("t.csv", "image,split,caption,,\n1.jpg,train,a, b,\n", "row 1: found ' b' in column 4 in line 2, which the header"),
        ("t.csv", 'image,caption\n1.jpg,a\n2.jpg,"a "nice" dog"\n', r"row 2, line 3: found 'nice.* after the quoted field"),
        ("t.csv", 'image,caption\n1.jpg,a 5" pipe\n', "row 1, line 2: found a quotation mark inside the plain field 'a 5"),
        ("t.csv", 'image,caption\n1.jpg,"a\n2.jpg,b\n', "row 1, line 2: found the quoted field '\"a'…, which is never closed"),
        ("t.csv", 'image,"caption\n', "t.csv: line 1: found the quoted field"),
        ("t.csv", "image,caption\n1.jpg,a\rb\n", r"row 2, line 2: found a carriage return after"),
        ("t.tsv", "image\tcaption\n1.jpg\ta\tb\n", "row 1: found 3 fields in line 2; expected 2"),
        ("t.csv", "image;caption\n1.jpg;a, b\n", "line 1: found ';' between the columns; expected ','"),
        ("t.csv", "image\tcaption\n", r"line 1: found '.t' between the columns; expected ','"),
        (
            "t.jsonl",
            '{"caption": "a"}\n{"caption": "a", "caption": "b"}\n',
            "row 2: line 2 is not JSON .found the key 'caption'",
        ),
        ("t.jsonl", '{"caption": "a"}\n\n{"b \\ud83d": "caption"}\n', "row 2: line 3 is not JSON .*surrogate"),
        ("t.jsonl", '{"caption": NaN}\n', "row 1: line 1 is not JSON .found NaN, which is no JSON number; write null"),
        ("t.jsonl", "[" * 100_000, "row 1: line 1 is not JSON .it is nested too deeply"),
        ("t.jsonl", '{"a": 1}\n["a"]\n', "row 2: line 2 is '.\"a\".', expected an object"),
        ("t.json", '[{"a": 1}, 2]', "t.json: row 2 is 2, expected an object"),
        ("t.json", '{"a": {"0": 1}}', "t.json: found dict, expected a list of objects"),
        ("t.json", '[{"a": 1, "a": 2}]', "t.json: is not JSON .found the key 'a' twice"),
    ],
)
def test_refused_with_file_and_row(tmp_path: Path, name: str, text: str, told: str) -> None:
    path = table(tmp_path / name, text)
    with pytest.raises(KdbenchError, match=told) as caught:
        read_table(path, ("image", "caption"), WORDS)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.json"])
def test_other_encodings(tmp_path: Path, name: str, encoding: str) -> None:
    (tmp_path / name).write_bytes("a\nb\ncafé\n".encode(encoding))
    with pytest.raises(KdbenchError, match=r"cannot be read: line (1|3) is not UTF-8 \(found the byte 0x(ff|e9)\); save it as"):
        read_table(tmp_path / name, ())


def test_rows_that_a_quotation_mark_swallows(tmp_path: Path) -> None:
    """A mark that opens and is closed two rows on: one field, in the grammar of CSV."""
    path = table(tmp_path / "t.csv", 'image,split,caption\n1.jpg,train,"a\n2.jpg,train,b\n3.jpg,test,c"\n4.jpg,test,d\n')
    with pytest.raises(
        KdbenchError, match=r"row 1: found a quoted field from line 2 to line 4 that holds whole rows; expected one row. Close"
    ):
        csv_table(path, ",", WORDS)
    kept = table(tmp_path / "t.csv", 'image,split,caption\n1.jpg,train,"boat, train, test\nand more"\n')
    assert csv_table(kept, ",", WORDS).rows[0].values["caption"] == "boat, train, test\nand more"


def test_what_is_right_is_read(tmp_path: Path) -> None:
    """A byte order mark, an index column of pandas, CR LF, CR CR LF, empty lines and columns, blanks in the header."""
    text = '\ufeff,image, caption ,split,\r\n0,1.jpg,"a, ""nice"" dog",train,\r\n\r\n1,2.jpg,b\\,test,\r\n'
    for ends in ("\r\n", "\r\r\n", "\n", "\r"):
        found = csv_table(table(tmp_path / "t.csv", text.replace("\r\n", ends)), ",", WORDS)
        assert found.columns == ["image", "caption", "split"]
        assert [row.values["caption"] for row in found.rows] == ['a, "nice" dog', "b\\"]
        assert [row.number for row in found.rows] == [1, 2]
    assert csv_header(tmp_path / "t.csv") == ["", "image", "caption", "split", ""]
    lines = table(tmp_path / "t.jsonl", '\ufeff{"a": "\u2028x"}\r\n\r\n{"a": null}')
    assert [row.values for row in read_table(lines, ()).rows] == [{"a": "\u2028x"}, {"a": None}]


def test_places(tmp_path: Path) -> None:
    """The line is told where it is not the row, or the one after the header."""
    path = table(tmp_path / "t.csv", 'a,b\n1,"x\ny"\n2,z\n')
    first, second = csv_table(path).rows
    assert (first.where, second.where) == (f"{path}: row 1", f"{path}: row 2 (line 4)")


def test_a_header_of_some_other_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00")
    assert csv_header(tmp_path / "t.csv") == []
    assert csv_header(table(tmp_path / "u.csv", 'a,"b')) == []
    assert csv_header(tmp_path / "none.csv") == []


@pytest.mark.parametrize(("form", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_all_rows_of_other_lengths_are_told_at_once(tmp_path: Path, form: str, delimiter: str) -> None:
    """With the lines of the file that an editor counts, and no more than ten; so is text that ends the reading."""
    path = tmp_path / f"t.{form}"
    lines = ["image,caption", "1.jpg,a", "2.jpg,b,c", '"3.jpg","two', 'lines"', "4.jpg"]
    path.write_text("\n".join(lines).replace(",", delimiter))
    with pytest.raises(KdbenchError) as error:
        read_table(path, ())
    assert [line.split(";")[0] for line in str(error.value).split("\n")] == [
        f"{path}: row 2: found 3 fields in line 3",
        f"{path}: row 4 (line 6): found 1 fields in line 6",
    ]
    path.write_text("\n".join([*lines[:3], '3.jpg,"open']).replace(",", delimiter))
    with pytest.raises(KdbenchError, match=r"(?s)row 2: found 3 fields in line 3.*\n.*row 3, line 4: found the quoted field"):
        read_table(path, ())
    path.write_text("\n".join(["image,caption", *["1.jpg"] * 12]).replace(",", delimiter))
    with pytest.raises(KdbenchError) as error:
        read_table(path, ())
    assert len(str(error.value).split("\n")) == 11
    assert str(error.value).endswith("\nand 2 more such rows")
