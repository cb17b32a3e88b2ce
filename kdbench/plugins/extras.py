"""Optional extras of an installed distribution, and their missing requirements."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def extras(name: str) -> dict[str, list[str]]:
    """Extra → its requirements that are not installed in any version."""
    found: dict[str, list[str]] = {}
    try:
        dist = distribution(name)
    except PackageNotFoundError:
        return found
    for extra in dist.metadata.get_all("Provides-Extra") or []:
        found[extra] = []
    for requirement in dist.requires or []:
        named, extra_of = _NAME.match(requirement), _EXTRA.search(requirement)
        if named and extra_of and not _installed(named.group()):
            found.setdefault(extra_of.group(1), []).append(named.group())
    return found


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
