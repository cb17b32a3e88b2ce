"""The manifest of a bundle: all files with checksums, and the submitter."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from kdbench.errors import RecordError
from kdbench.storage.digest import digest_of

MANIFEST = "manifest.json"


class Listed(BaseModel):
    """A file of a bundle."""

    model_config = ConfigDict(extra="forbid", strict=True)

    bytes: int
    sha256: str


class PluginCode(BaseModel):
    """The code of a plugin that does not ship with kdbench: its package, the version, and the sha256 of its source."""

    model_config = ConfigDict(extra="forbid", strict=True)

    package: str
    version: str
    code: str


class Manifest(BaseModel):
    """Contains no time and no path: the same records give the same bytes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal[1] = 1
    record_format: Literal[2] = 2  # of its records
    kdbench: str  # the version that wrote the bundle
    by: str  # the submitter's name
    dirty: list[str]  # run ids of records whose code differed from its commit
    plugins: list[PluginCode] = []  # of third parties, which its records depend on; left out if there are none
    files: dict[str, Listed]
    digest: str = ""  # sha256 over all of the above

    def sealed(self) -> Manifest:
        """The manifest with its digest filled in."""
        return self.model_copy(update={"digest": digest_of(self._fields(exclude={"digest"}))})

    def content(self) -> bytes:
        """The manifest as bytes; a bundle must contain exactly these."""
        return (json.dumps(self._fields(), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

    def _fields(self, exclude: set[str] | None = None) -> dict[str, Any]:
        """Bundles from before plugins were listed keep their bytes."""
        return self.model_dump(exclude=(exclude or set()) | (set() if self.plugins else {"plugins"}))


def read_manifest(content: bytes) -> Manifest:
    """Reads a manifest. Raises RecordError if it is invalid or differs in any byte from the form in which it is written."""
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise RecordError(f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}") from error
    expected = manifest.sealed()
    if manifest.digest != expected.digest:
        raise RecordError(f"its digest is {manifest.digest!r}, that of its contents is {expected.digest!r}")
    if content != expected.content():
        raise RecordError("it holds what was written, in other bytes")
    return manifest
