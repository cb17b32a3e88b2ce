"""Records and studies of format 1, read as those of today.

Format 1 hashed all parameters of a run into its id, defaults included, and knew image-text retrieval alone. Its specs are
given the defaults that plugins had then (`format1.json`, which is never edited), so that rows of both formats join one
cell where their content is the same. Parameters of plugins that are not listed count as given.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files

from kdbench.contracts.values import JsonObject
from kdbench.storage.digest import digest_of

# What its fields are called now.
RENAMED = {"ranks_sha256": "arrays_sha256", "concepts_sha256": "units_sha256", "series_sha256": "trace_sha256"}
UNREADABLE = (KeyError, TypeError, AttributeError, ValueError, RecursionError)  # of what is no spec of format 1
_OPERATIONAL = ("checkpoint_every", "devices")
_ABSENT = ("variant", "role", "smoke", "tuning")  # not part of an id where a run has none


def record_fields(given: JsonObject) -> JsonObject:
    """The fields of a record as `Record` has them; `original` is the spec as it was written."""
    fields = {RENAMED.get(name, name): value for name, value in given.items()}
    return fields | {"spec": spec_of(given["spec"]), "original": given["spec"]}


def written_fields(fields: JsonObject, written: JsonObject) -> JsonObject:
    """The reverse of `record_fields`: a record with its `spec` as it was written."""
    then: dict[str, str] = {now: name for name, now in RENAMED.items()}
    return {then.get(name) or name: value for name, value in (fields | {"spec": written}).items()}


def spec_of(written: JsonObject) -> JsonObject:
    """A spec of format 1 in the fields of `RunSpec`. Raises one of `UNREADABLE` where it is none."""
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
    """The id that format 1 gave a run."""
    return _id(written)


def cell_id(written: JsonObject) -> str:
    """The id that format 1 gave a cell."""
    return _id({key: value for key, value in written.items() if key != "seed"})


def label(written: JsonObject) -> str:
    """The label that format 1 gave a run."""
    if written.get("role") == "reference":
        return f"{written['student']['name']} · as it is"
    return f"{cell_label(written)} · seed {written['seed']}"


def cell_label(written: JsonObject) -> str:
    """The label that format 1 gave a cell."""
    team = "+".join(teacher["name"] for teacher in written["team"]) or "no teacher"
    strategy = [written["strategy"]["name"]] if written["strategy"] else []
    return " · ".join([*([written["variant"]] if written.get("variant") else []), written["student"]["name"], team, *strategy])


def summary_fields(given: JsonObject) -> JsonObject:
    """The fields of a study's summary as `StudySummary` has them; `original` is what of it was hashed, as it was written."""
    known = {"version": 1} | given  # the first searches did not say
    return known | {"spec": spec_of(given["spec"]), "original": {name: given[name] for name in ("spec", "space", "settings")}}


def study_ids(study: JsonObject) -> dict[str, str]:
    """The digest, name and label that format 1 gave a study, from its summary's `spec`, `space`, `settings`, `version`."""
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
    """Kind → plugin → `defaults` of its parameters, and of those that hold a plugin, by `uses`, its kind."""
    pinned: dict[str, dict[str, JsonObject]] = json.loads(files("kdbench.records").joinpath("format1.json").read_bytes())
    return pinned
