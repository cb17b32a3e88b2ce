"""What a plugin says of the strategy it offers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """A strategy for readers. `name` is what a suite writes after `use:`, `formula` plain text, `provider` the package.

    `status` is `published`, a `reconstruction` of a source that leaves something open, another `library`'s code, or empty.
    """

    name: str
    summary: str = ""
    formula: str = ""
    source: str = ""
    status: str = ""
    provider: str = ""
