"""Text of others (labels, reasons, names, messages) with what a terminal would obey made visible."""

from __future__ import annotations

import re

# C0 but tab and line feed, DEL, C1; marks of direction, which reorder a line; separators that some terminals break lines at.
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def neutral(text: str) -> str:
    """The text with every character that moves the cursor, colours, hides or reorders written as an escape, such as `\\u001b`.

    The escapes are those of JSON: a JSON document stays one, with the same values.
    """
    return OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
