"""A line of the sources made wrong on purpose. A test must fail with it: else nothing guards that line."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from hashlib import sha256


@dataclass(frozen=True)
class Mutant:
    """`old`, a part of one line that stands in `file` exactly once, becomes `new`; one of the `tests` fails then.

    `wrong` says what the mutant does. Tests are files, or `FILE::FUNCTION` of long ones; paths start at the repository.
    """

    wrong: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def key(self) -> str:
        """Identifies all of it but its description."""
        return sha256(repr(astuple(self)[1:]).encode()).hexdigest()[:12]

    def applied(self, text: str) -> str:
        """The file's text with the mutant. Raises ValueError unless `old` stands there once."""
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.file}: found {self.old!r} {found} times; expected it once. Renew the mutant: {self.wrong}")
        return text.replace(self.old, self.new)
