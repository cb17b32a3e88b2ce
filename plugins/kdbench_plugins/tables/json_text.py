"""JSON as RFC 7493 (I-JSON) restricts it: a name stands once in an object, strings are Unicode, numbers are numbers.

The standard library's `json` takes the last of several equal names, halves of surrogate pairs, NaN and Infinity.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class JsonFault(ValueError):
    """Text that is not I-JSON."""


def parsed(text: str, whole: bool = True) -> Any:
    """The value of a JSON text. Raises JsonFault with the reason.

    Unless `whole`, strings other than keys may hold halves of surrogate pairs: `is_unicode` finds them in those that are used.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except JsonFault:
        raise
    except RecursionError:
        raise JsonFault("it is nested too deeply") from None
    except ValueError as error:
        raise JsonFault(str(error)) from error
    if ESCAPED_SURROGATE.search(text):
        _refuse_surrogates(value, whole)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise JsonFault(f"found the key {twice!r} twice in one object, with the values {_values(pairs, twice)}")
    return found


def _values(pairs: list[tuple[str, Any]], name: str) -> str:
    shown = [repr(value) for key, value in pairs if key == name]
    return " and ".join(text if len(text) <= 40 else f"{text[:40]}…" for text in shown[:2])


def _constant(name: str) -> NoReturn:
    raise JsonFault(f"found {name}, which is no JSON number; write null for a missing value")


def _refuse_surrogates(value: Any, whole: bool) -> None:
    """Raises JsonFault for a key, or any string, with half of a surrogate pair, as text cut in the middle of an emoji has."""
    pending = [value]
    while pending:
        found = pending.pop()
        texts: list[str] = []
        if isinstance(found, dict):
            texts = list(found)
            pending += found.values()
        elif isinstance(found, list):
            pending += found
        elif isinstance(found, str) and whole:
            texts = [found]
        for text in texts:
            if not is_unicode(text):
                raise JsonFault(f"found {text[:40]!r}, with half of a surrogate pair, which is no character")


def is_unicode(text: str) -> bool:
    """Whether a string can be written as UTF-8: it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
