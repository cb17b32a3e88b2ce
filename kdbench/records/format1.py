"""Reads records and studies of format 1 into the current models.

Format 1 hashed all parameters of a run into its id, defaults included, and supported image-text retrieval only. Its specs get
the defaults that plugins had then (`format1.json`, which is never edited): rows of both formats with the same content are
then in one cell. Parameters of plugins that are not listed count as not at their default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import ValidationInfo

from kdbench.contracts.values import JsonObject
from kdbench.storage.digest import digest_of

# Old field names → new ones.
RENAMED = {"ranks_sha256": "arrays_sha256", "concepts_sha256": "units_sha256", "series_sha256": "trace_sha256"}
UNREADABLE = (KeyError, TypeError, AttributeError, ValueError, RecursionError)  # for what is not a spec of format 1
_OPERATIONAL = ("checkpoint_every", "devices")
_ABSENT = ("variant", "role", "smoke", "tuning")  # not part of an id if the run has none


def read(given: Any, fields: Callable[[JsonObject], JsonObject], info: ValidationInfo) -> Any:
    """The `fields` of a file of format 1, and anything else unchanged.

    Raises ValueError if its spec is not of format 1, and for a file with a field `original`, from which its ids would follow.
    """
    if info.mode == "json" and isinstance(given, dict) and "original" in given:
        raise ValueError("original: found a field of programs, expected none in a file")
    if not isinstance(given, dict) or given.get("format") != 1 or "original" in given:
        return given
    try:
        return fields(given)
    except UNREADABLE as error:
        raise ValueError(f"its spec is none of format 1: {type(error).__name__}: {error}") from error


def record_fields(given: JsonObject) -> JsonObject:
    """The fields of a record in the form of `Record`; `original` is the spec as written."""
    fields = {RENAMED.get(name, name): value for name, value in given.items()}
    return fields | {"spec": spec_of(given["spec"]), "original": given["spec"]}


def written_fields(fields: JsonObject, written: JsonObject) -> JsonObject:
    """The inverse of `record_fields`: a record with its `spec` as written."""
    then: dict[str, str] = {now: name for name, now in RENAMED.items()}
    return {then.get(name) or name: value for name, value in (fields | {"spec": written}).items()}


def spec_of(written: JsonObject) -> JsonObject:
    """A spec of format 1 as fields of `RunSpec`. Raises one of `UNREADABLE` if it is not one."""
    if written.get("version", 1) != 1:
        raise ValueError(f"version {written['version']!r} of a spec, expected 1")
    kind = "teacher" if written.get("role") == "reference" else "student"
    evaluate = dict(written["evaluate"])
    recall_at = evaluate.pop("recall_at")
    return {
        **written,
        "version": 2,
        "task": {
            "name": "retrieval",
            "use": "retrieval",
            "params": {"recall_at": recall_at},
            "defaults": {"recall_at": [1, 5, 10]},
        },
        "dataset": _plugin("dataset", written["dataset"]),
        "student": _plugin(kind, written["student"]),
        "team": [_plugin("teacher", teacher) for teacher in written["team"]],
        "strategy": _plugin("strategy", written["strategy"]) if written["strategy"] else None,
        "objective": [_plugin("objective", term) for term in written["objective"]],
        "train": written["train"] or None,
        "evaluate": evaluate,
    }


def run_id(written: JsonObject) -> str:
    """A run's id in format 1."""
    return _id(written)


def cell_id(written: JsonObject) -> str:
    """A cell's id in format 1."""
    return _id({key: value for key, value in written.items() if key != "seed"})


def label(written: JsonObject) -> str:
    """A run's label in format 1."""
    if written.get("role") == "reference":
        return f"{written['student']['name']} · as it is"
    return f"{cell_label(written)} · seed {written['seed']}"


def cell_label(written: JsonObject) -> str:
    """A cell's label in format 1."""
    team = "+".join(teacher["name"] for teacher in written["team"]) or "no teacher"
    strategy = [written["strategy"]["name"]] if written["strategy"] else []
    return " · ".join([*([written["variant"]] if written.get("variant") else []), written["student"]["name"], team, *strategy])


def summary_fields(given: JsonObject) -> JsonObject:
    """The fields of a study's summary in the form of `StudySummary`; `original` is the hashed part as written."""
    known = {"version": 1} | given  # not stored by the first searches
    return known | {"spec": spec_of(given["spec"]), "original": {name: given[name] for name in ("spec", "space", "settings")}}


def study_ids(study: JsonObject) -> dict[str, str]:
    """A study's digest, name and label in format 1, from its summary's `spec`, `space`, `settings`, `version`."""
    written = study["spec"]
    train = {key: value for key, value in written["train"].items() if key not in _OPERATIONAL}
    whole = {"spec": {**written, "train": train}, "space": study["space"], "settings": study["settings"]}
    digest = digest_of({**whole, "version": study["version"]})[:12]
    name = re.sub(r"[^A-Za-z0-9_.+-]+", "-", f"{cell_label(written)}-{digest}")
    return {"digest": digest, "study": name, "label": cell_label(written)}


def _id(written: JsonObject) -> str:
    train = {key: value for key, value in written["train"].items() if key not in _OPERATIONAL}
    known = {key: value for key, value in written.items() if value or key not in _ABSENT}
    return digest_of({**known, "train": train})[:12]


def _plugin(kind: str, written: JsonObject) -> JsonObject:
    return {**written, "defaults": _defaults(kind, written["use"], written["params"])}


def _defaults(kind: str, use: str, params: JsonObject, prefix: str = "") -> JsonObject:
    pinned = _pinned().get(kind, {}).get(use, {})
    found = {f"{prefix}{name}": value for name, value in pinned.get("defaults", {}).items()}
    for name, inner in pinned.get("uses", {}).items():
        nested = params.get(name)
        if isinstance(nested, dict) and "use" in nested:
            found |= _defaults(inner, nested["use"], nested, f"{prefix}{name}.")
    return found


@cache
def _pinned() -> dict[str, dict[str, JsonObject]]:
    """Kind → plugin → `defaults` of its parameters and `uses`, the kinds of parameters that hold another plugin."""
    pinned: dict[str, dict[str, JsonObject]] = json.loads(files("kdbench.records").joinpath("format1.json").read_bytes())
    return pinned
