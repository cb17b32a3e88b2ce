"""Files that state the sha256 of their content: a byte that a disk has altered is noticed, whichever number it is in.

An author who alters a file on purpose can compute it as well; what that leads to, `verify` shows.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, model_validator

from kdbench.storage.digest import digest_of

SEAL = "sha256"  # the last field of the file, of all others; files from before it was added have none


class Sealed(BaseModel):
    """A model that is read from such files. The sum is checked, and is no field of it."""

    @model_validator(mode="before")
    @classmethod
    def _unsealed(cls, data: Any) -> Any:
        if not isinstance(data, dict) or SEAL not in data:
            return data
        content = {name: value for name, value in data.items() if name != SEAL}
        try:
            found = digest_of(content)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"its content has no sha256: {error}") from error
        if found != data[SEAL]:
            raise ValueError(
                f"its content has the sha256 {found[:12]}…, not the one that it states: it is damaged or was edited"
            )
        return content


def sealed(model: Sealed) -> str:
    """The text of its file."""
    content = json.loads(model.model_dump_json())
    return json.dumps(content | {SEAL: digest_of(content)}, indent=1, ensure_ascii=False) + "\n"
