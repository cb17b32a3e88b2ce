"""From what a person types to a record."""

from __future__ import annotations

import difflib
from pathlib import Path

from kdbench.errors import RecordError, counted
from kdbench.records.files import find_records, read_record

SHOWN = 8  # runs named in an error


def find_run(text: str, results: Path) -> Path:
    """The record of a path, of a run's id, or of the beginning of an id that no other run under `results` has.

    Raises RecordError if none or several fit, and names them.
    """
    if Path(text).is_file():
        return Path(text)
    found = find_records([results])
    wanted = text.lower()
    matches = [path for path in found if path.stem.startswith(wanted)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise RecordError(f"{text!r} may be any of {len(matches)} runs; give more of its id, or a path:{_listed(matches)}")
    near = difflib.get_close_matches(wanted, [path.stem for path in found], n=3, cutoff=0.5)
    if near:
        raise RecordError(f"no run is called {text!r}; near are:{_listed([path for path in found if path.stem in near])}")
    raise RecordError(
        f"no record is at {text!r}, and none of the {counted(len(found), 'run')} under {results} has an id that begins so; "
        "`kdbench plan SUITE --runs` shows ids"
    )


def _listed(paths: list[Path]) -> str:
    shown = "".join(f"\n  {path}  {_label(path)}" for path in paths[:SHOWN])
    return shown + (f"\n  and {len(paths) - SHOWN} more" if len(paths) > SHOWN else "")


def _label(path: Path) -> str:
    try:
        return read_record(path).spec.label
    except RecordError:
        return "(cannot be read)"
