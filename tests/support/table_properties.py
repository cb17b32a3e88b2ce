"""What every reader of tables keeps to: it refuses what the slow reader refuses, and otherwise reads the same."""

from __future__ import annotations

import ast
import csv
import io
import json
import math
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kdbench import KdbenchError
from kdbench_plugins.datasets.folder_table import Columns, read_items
from kdbench_plugins.tables.csv_text import CsvFault, records
from kdbench_plugins.tables.json_text import JsonFault, is_unicode, parsed
from tests.support.slow_tables import Refused, SlowJson, same, slow_csv

Read = dict[str, tuple[str, list[str], str]]  # image → split, captions, concept; no captions if they are refused
SPLITS = {"train": "train", "restval": "train", "val": "validation", "dev": "validation", "test": "test"}
MISSING = ("nan", "none", "null", "<na>", "n/a", "#n/a", "nat", "undefined", "\\n")


def csv_agrees(text: str, delimiter: str = ",") -> None:
    """Against RFC 4180 sign by sign; what is taken, the strict reader of the standard library takes alike."""
    try:
        expected = slow_csv(text, delimiter)
    except Refused:
        expected = None
    try:
        found = [record.fields for record in records(text, delimiter)]
    except CsvFault:
        found = None
    assert found == expected
    if found is not None:
        theirs = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        assert found == [row for row in theirs if row]


def json_agrees(text: str) -> None:
    """Against RFC 7493 by recursive descent."""
    for whole in (True, False):
        try:
            expected = SlowJson(text, whole).value()
        except Refused:
            expected = Refused
        try:
            found = parsed(text, whole)
        except JsonFault:
            found = Refused
        assert found is expected or same(found, expected)


def table_agrees(rows: list[dict[str, Any]], path: Path) -> None:
    """A table as `folder` reads it: against the rules applied to one row after the other."""
    written = write(path, rows)
    if written is None:
        return
    concept = "concept" if "concept" in rows[0] else None
    try:
        expected: Read | None = slow_items(written, concept)
    except Refused:
        expected = None
    assert items_of(path, concept) == expected


def items_of(path: Path, concept: str | None = None) -> Read | None:
    """The images of a table; None if it is refused, by an error that names it."""
    try:
        items = read_items(path, path.parent, Columns("image", "caption", "split", concept))
    except KdbenchError as error:
        told = str(error)
    else:
        return {item.key[0]: (item.split, [] if item.error else list(item.captions), item.concept) for item in items}
    assert told.startswith(str(path))
    assert is_unicode(told)
    return None


def write(path: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Writes rows in the form of a file's suffix and returns what its cells then hold; None if the form cannot hold them."""
    names = list(rows[0])
    if path.suffix in (".csv", ".tsv"):
        texts = [{name: "" if row[name] is None else _cell(row[name]) for name in names} for row in rows]
        if not all(is_unicode(text) for row in texts for text in row.values()):
            return None
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, names, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(texts)
        return texts
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".json":
        text = json.dumps(rows, ensure_ascii=False)
        path.write_text(text if is_unicode(text) else json.dumps(rows), encoding="utf-8")
    else:
        try:
            pq.write_table(pa.Table.from_pylist(rows), path)
        except (pa.ArrowException, ValueError, TypeError):  # cells of one column have types that no column holds
            return None
        return [dict(row) for row in pq.read_table(path).to_pylist()]
    return rows


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def slow_items(rows: list[dict[str, Any]], concept: str | None) -> Read:
    found: Read = {}
    written: dict[str, str] = {}
    for row in rows:
        name, split = row["image"], str(row["split"]).strip().lower()
        if not isinstance(name, str) or not name.strip() or "\0" in name or not is_unicode(name) or split not in SPLITS:
            raise Refused
        if name.strip().lower() in MISSING:
            raise Refused
        path = os.path.normpath(name.strip())
        if name != written.setdefault(path, name) and name.strip() == written[path].strip():
            raise Refused
        group = "" if concept is None else _concept(row[concept])
        captions = _captions(row["caption"])
        before = found.get(path, (SPLITS[split], [""], group))
        if before[0] != SPLITS[split] or before[2] != group:
            raise Refused
        if path in found:
            captions = before[1] + captions if before[1] and captions else []
        found[path] = (SPLITS[split], captions, group)
    for split, _, group in found.values():
        if group and any(other[2] == group and other[0] != split for other in found.values()):
            raise Refused
    return found


def _concept(value: Any) -> str:
    if value is None or isinstance(value, list | dict) or not str(value).strip() or (value != value):
        raise Refused
    if (isinstance(value, float) and math.isinf(value)) or str(value).strip().lower() in MISSING:
        raise Refused
    return unicodedata.normalize("NFC", str(value).strip())


def _captions(value: Any) -> list[str]:
    """The captions of a cell, none if one of them cannot be used."""
    if isinstance(value, str):
        try:
            found = SlowJson(value, False).value()
        except Refused:
            found = value
        value = found if isinstance(found, list) else value
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return [text.strip() for text in texts] if all(map(usable, texts)) else []


def usable(text: Any) -> bool:
    if not isinstance(text, str) or not text.strip() or len(text.strip()) > 5000 or text.strip().lower() in MISSING:
        return False
    if not is_unicode(text):
        return False
    stripped = text.strip()
    try:
        written = ast.literal_eval(stripped) if stripped[0] in "[({" else None
    except (ValueError, SyntaxError):
        written = None
    truncated = stripped.startswith("[") and stripped.lstrip("[( \n\t").startswith(("'", '"'))
    return not (isinstance(written, list | tuple | set | dict) or truncated or stripped.startswith("array(["))


def one_mark_less(path: Path, rows: list[dict[str, Any]], damage: Callable[[str], str]) -> None:
    """A CSV table whose quotation marks are damaged is refused, or has the images that it had: no row is swallowed."""
    write(path, rows)
    before = items_of(path)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8", newline="")
    after = items_of(path)
    if before is not None and after is not None:
        assert {name: split for name, (split, *_) in after.items()} == {name: split for name, (split, *_) in before.items()}


def json_lines_agree(path: Path, text: str) -> None:
    """A file of JSON, damaged or not: rows that the slow reader takes, read by the rules; refused where it refuses."""
    rows: Any
    try:
        lines = [line for line in text.split("\n") if line.strip()]
        rows = [SlowJson(line, False).value() for line in lines] if path.suffix == ".jsonl" else SlowJson(text, False).value()
    except Refused:
        rows = None
    expected: Read | None = None
    columns = {"image", "split", "caption"}
    if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows) and columns <= rows[0].keys():
        try:
            expected = slow_items([{name: row.get(name) for name in columns} for row in rows], None)
        except Refused:
            expected = None
    assert items_of(path) == expected
