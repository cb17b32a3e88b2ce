"""Profiles on disk, one small JSON file each, in a folder beside the records they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kdbench.errors import RecordError
from kdbench.records.profile import Profile
from kdbench.records.record import read_model, write_model

# Not `.json` alone: twelve hexadecimal digits before that are how records are told from other files.
SUFFIX = ".profile.json"


def profile_path(results: Path, suite: str, id: str) -> Path:
    return results / suite / "profiles" / f"{id}{SUFFIX}"


def write_profile(results: Path, suite: str, profile: Profile) -> Path:
    """Written whole or not at all."""
    return write_model(profile_path(results, suite, profile.id), profile)


def read_profile(path: Path) -> Profile:
    """Raises RecordError, naming the file and the field."""
    return read_model(Profile, path, "a profile", "; remove it to have it measured again")


def profiled(results: Path, suite: str, id: str) -> Profile | None:
    """The profile of that id, None where there is none or it cannot be read (the student is then measured again)."""
    path = profile_path(results, suite, id)
    try:
        return read_profile(path) if path.exists() else None
    except RecordError:
        return None


def add_figures(results: Path, suite: str, student: dict[str, Any], here: tuple[str, str], figures: dict[str, float]) -> bool:
    """Adds further figures of a student to its profiles of a suite on one device, `here` its name and its host's id.

    `student` is a plugin as plans have it. False where it has not been measured there.
    """
    plain = {"use": student["use"], "params": student["params"]}
    found = False
    for path in find_profiles([results / suite / "profiles"]):
        profile = read_profile(path)
        if profile.student == plain and (profile.device, profile.host.get("id")) == here:
            write_profile(results, suite, profile.model_copy(update={"extra": profile.extra | figures}))
            found = True
    return found


def find_profiles(paths: Iterable[Path]) -> list[Path]:
    """The profiles in the folders given, each once. Paths that are no folders are passed over: records may be among them."""
    found = {file.resolve(): file for path in paths if path.is_dir() for file in sorted(path.rglob(f"*{SUFFIX}"))}
    return list(found.values())
