"""Records and bundles, damaged as hand edits, other versions and bad disks damage them, and what holds for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from kdbench.errors import KdbenchError, RecordError
from kdbench.records.files import read_record
from kdbench.records.record import Record
from kdbench.records.sealed import SEAL
from kdbench.records.verify import verify
from kdbench.reports.results import load
from tests.support.made_records import contents, resealed
from tests.support.toys import toy_plugins

# As JSON texts: some are no JSON that Python would write.
NASTY = ["null", "true", "-1", "0", "1", "1.5", '""', '"x"', "[]", "{}", "[[]]", '{"a": 1}', "1e999", "NaN", "-Infinity"]
NASTY += [
    "9223372036854775808",
    "1" * 4000,
    '"\\ud83d"',
    '"\\u0000"',
    '"../../x"',
    "[" * 300 + "]" * 300,
    '"2025-99-99T99:99:99Z"',
]
NASTY += ['{"use": "x", "use": "y"}', '"ok"', '"failed"', '"skipped"', "[1, 2, 3]", "0.0001", '"cpu"', "3", '"é😀"']
PLACE = "@@here@@"
Change = tuple[float, str]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a document."""
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


def changed(text: str, where: float, to: str) -> str:
    """A JSON document with the value at one of its places, `where` from 0 to 1, replaced by a text; "" removes it."""
    document = json.loads(text)
    paths = places(document)[1:]
    if not paths:
        return to
    *outer, last = paths[min(int(where * len(paths)), len(paths) - 1)]
    inner = document
    for key in outer:
        inner = inner[key]
    if to:
        inner[last] = PLACE
    else:
        del inner[last]
    return json.dumps(document).replace(json.dumps(PLACE), to)


changes = st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["", *NASTY])), min_size=1, max_size=2)
cuts = st.one_of(st.just(1.0), st.just(1.0), st.floats(0, 1))


def unsealed(text: str) -> str:
    """Without the sum of its content, by which all damage would be noticed at once."""
    return json.dumps({name: value for name, value in json.loads(text).items() if name != SEAL})


def damaged(text: str, done: list[Change], cut: float) -> str:
    for where, to in done:
        try:
            text = changed(text, where, to)
        except (ValueError, RecursionError):  # it is no JSON any more
            break
    return text[: max(1, int(cut * len(text)))]


def with_its_ids(text: str) -> tuple[str, str]:
    """The record with the ids that follow from its spec, if it has any, and its run id: only then is it looked at closely."""
    try:
        found = json.loads(text)
        record = Record.model_validate_json(text)
        text = json.dumps(found | record.ids)
    except (ValueError, TypeError, ValidationError, RecursionError):
        return text, "0" * 12
    return text, record.ids["run_id"]


def holds_for_record(folder: Path, whole: Path, done: list[Change], cut: float) -> None:
    """A damaged record is refused with its file, or read as what it says; the leaderboard shows it or says why not."""
    text, run_id = with_its_ids(damaged(unsealed(whole.read_text(encoding="utf-8")), done, cut))
    path = folder / "toys" / f"{run_id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    for beside in whole.parent.glob(f"{whole.stem}.*"):
        (path.parent / beside.name.replace(whole.stem, run_id)).write_bytes(beside.read_bytes())
    path.write_text(text, encoding="utf-8")
    try:
        holds(path)
    finally:
        for file in path.parent.iterdir():
            file.unlink()


def holds(path: Path) -> None:
    """Everything that reads the folder of a record reads it, or says what is wrong."""
    said = ""
    try:
        record = read_record(path)
        assert Record.model_validate_json(record.model_dump_json()) == record
    except RecordError as refused:
        said = str(refused)
    assert not said or said.startswith(f"{path}: ")
    said.encode()
    shown = load([path.parent], plugins=toy_plugins())
    try:
        shown.text().encode()
        shown.text("json").encode()
    except KdbenchError as refused:
        str(refused).encode()
    for problem in verify([path.parent], toy_plugins())[1]:
        assert str(path.parent) in problem.path
        str(problem).encode()


def holds_for_bundle(folder: Path, sent: Path, name: int, done: list[Change], cut: float) -> None:
    """A bundle with one of its files damaged, and a manifest that vouches for it, is refused or shown; nothing else happens."""
    files = contents(sent)
    names = sorted(file for file in files if file.endswith(".json") and file != "manifest.json")
    chosen = names[name % len(names)]
    files[chosen] = damaged(unsealed(files[chosen].decode()), done, cut).encode()
    bundle = resealed(folder / "damaged.zip", files)
    shown = load([bundle], plugins=toy_plugins())
    try:
        shown.text().encode()
    except KdbenchError as refused:
        str(refused).encode()
    for problem in verify([bundle], toy_plugins())[1]:
        assert str(bundle) in problem.path
