"""Captions and names as files hold them: lists in JSON, and text that is no caption but what a program left in its place."""

from __future__ import annotations

import re
from typing import Any

from kdbench import KdbenchError
from kdbench_plugins.tables.json_text import JsonFault, is_unicode, parsed

# How pandas, Python, JavaScript and databases write a missing value as text.
MISSING = frozenset({"nan", "none", "null", "<na>", "n/a", "#n/a", "nat", "undefined", "\\n"})
# The notation of lists of strings in Python and NumPy, whole or truncated; tuples, sets and dicts of strings; empty ones, and
# lists of numbers.
NOTATION = re.compile(
    r"""\[[\[(\s]*['"] | [({]\s*(['"]).*\1\s*[,:].*[)}]$ | (?:array|list|tuple|set|frozenset|dict)\(\s*[\[({]
    | (?:\[[ \t\r\n]*\] | \([ \t\r\n]*\) | \{[ \t\r\n]*\})$
    | \[[ \t\r\n]*(?:[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?[ \t\r\n]*(?:,[ \t\r\n]*|(?=\])))+\]$""",
    re.VERBOSE | re.DOTALL,
)


def list_in(cell: Any) -> Any:
    """A cell of a table as it is meant: text that is a JSON list becomes that list."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            return parsed(cell, whole=False)
        except JsonFault:
            return cell  # a caption that begins with a bracket, or no caption: see `caption_fault`
    return cell


def caption_fault(text: str) -> str:
    """What is wrong with a caption, stripped of white space; empty if nothing is."""
    if NOTATION.match(text):
        return f"found {_shown(text)}, a list as text; expected a caption, or a JSON list of captions"
    if text.lower() in MISSING:
        return f"found {text!r}, which stands for a missing value; expected a caption"
    return text_fault(text)


def text_fault(text: str) -> str:
    """Why a string can be neither caption nor name: it holds what is no character. Empty if nothing is wrong."""
    if not is_unicode(text):
        return f"found {_shown(text)}, with half of a surrogate pair, which is no character; is the text truncated?"
    if "\0" in text:
        return f"found {_shown(text)}, with a null character"
    return ""


def name_fault(text: str) -> str:
    """Why a string cannot be the name of a picture, a folder or a concept. Empty if nothing is wrong."""
    if text.strip().lower() in MISSING:
        return f"found {text!r}, which stands for a missing value"
    return text_fault(text)


def id_of(value: Any, where: str) -> str:
    """An id as text, empty for a missing one. Raises KdbenchError for a value that is no id."""
    if value is None or (isinstance(value, str) and value.strip().lower() in {"", *MISSING}) or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():  # pandas makes floats of ids when one is missing
        return str(int(value))
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise KdbenchError(f"{where}: image id: found {_shown(repr(value))}; expected an integer or a string")
    fault = text_fault(str(value))
    if fault:
        raise KdbenchError(f"{where}: image id: {fault}")
    return str(value).strip()


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 40 else f"{text[:40]!r}…"
