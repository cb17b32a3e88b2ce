"""The version of an installed package, read from the head of its metadata."""

from __future__ import annotations

from email import message_from_string
from importlib.metadata import PackageNotFoundError, distribution


def installed_version(package: str) -> str:
    """The version of an installed package, "" if there is none.

    `importlib.metadata.version` parses the description below the head as well, thousands of lines of some packages.
    """
    try:
        found = distribution(package)
    except PackageNotFoundError:
        return ""
    head = (found.read_text("METADATA") or "").partition("\n\n")[0]
    return message_from_string(head)["Version"] or found.version
