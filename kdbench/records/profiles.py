"""Profiles on disk: one small JSON file each, in a folder beside their records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kdbench.errors import RecordError
from kdbench.records.files import read_model, write_model
from kdbench.records.profile import Profile
from kdbench.records.provenance import same_machine
from kdbench.suite.spec import PluginSpec

# Not just `.json`: records are recognised by twelve hexadecimal digits before it.
SUFFIX = ".profile.json"


def profile_path(results: Path, suite: str, id: str) -> Path:
    """The path of a profile."""
    return results / suite / "profiles" / f"{id}{SUFFIX}"


def write_profile(results: Path, suite: str, profile: Profile) -> Path:
    """Writes a profile whole or not at all."""
    return write_model(profile_path(results, suite, profile.id), profile)


def read_profile(path: Path) -> Profile:
    """Reads a profile. Raises RecordError, naming the file and the field."""
    return read_model(Profile, path, "a profile", "; remove it to have it measured again")


def profiled(results: Path, suite: str, id: str) -> Profile | None:
    """The profile of that id; None if there is none or it cannot be read (the student is then measured again)."""
    path = profile_path(results, suite, id)
    try:
        return read_profile(path) if path.exists() else None
    except RecordError:
        return None


def profiles_of(results: Path, suite: str) -> Iterator[Profile]:
    """All profiles of a suite that can be read."""
    for path in find_profiles([results / suite / "profiles"]):
        if (profile := profiled(results, suite, path.name.removesuffix(SUFFIX))) is not None:
            yield profile


def add_figures(
    results: Path, suite: str, student: PluginSpec, device: str, host: Mapping[str, Any], figures: dict[str, float]
) -> bool:
    """Adds further figures of a student to its profiles in a suite for one device, by name, of this host.

    Returns whether the student has been measured there. Raises RecordError if a profile of the suite cannot be read.
    """
    found = False
    for path in find_profiles([results / suite / "profiles"]):
        profile = read_profile(path)
        if student.same_as(profile.student) and profile.device == device and same_machine(profile.host, host):
            write_profile(results, suite, profile.replace(extra=profile.extra | figures))
            found = True
    return found


def find_profiles(paths: Iterable[Path]) -> list[Path]:
    """The profiles in the given folders, each once. Files among the paths are ignored, because they may be records."""
    found = {file.resolve(): file for path in paths if path.is_dir() for file in sorted(path.rglob(f"*{SUFFIX}"))}
    return list(found.values())
