"""Slow and strict readers, one character or one rule at a time: what the fast ones are compared with."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any


class Refused(Exception):
    """The text is not what its format defines."""


def slow_csv(text: str, delimiter: str = ",") -> list[list[str]]:
    """RFC 4180 as a machine of four states; lines end in CRLF, CR CR LF, LF or all in CR, empty ones are skipped."""
    rows: list[list[str]] = []
    row: list[str] = []
    field = ""
    state = "start"  # start of a field, plain, quoted, closed
    position = 0
    while position <= len(text):
        sign = text[position] if position < len(text) else "end"
        if state == "quoted":
            if sign == "end":
                raise Refused("never closed")
            if sign == '"':
                state = "closed"
            else:
                field += sign
        elif sign == '"':
            if state == "plain":
                raise Refused("a quotation mark in a plain field")
            field += '"' if state == "closed" else ""
            state = "quoted"
        elif sign == delimiter:
            row, field, state = [*row, field], "", "start"
        elif sign in ("\n", "\r", "end"):
            if row or state != "start":
                rows.append([*row, field])
            row, field, state = [], "", "start"
            if sign == "\r":
                feeds = {"\n": 1, "\r\n": 2}
                ahead = next((end for end in feeds if text.startswith(end, position + 1)), "")
                if not ahead and "\n" in text:
                    raise Refused("a carriage return in a line")
                position += feeds.get(ahead, 0)
        elif state == "closed":
            raise Refused("text after a quoted field")
        else:
            field, state = field + sign, "plain"
        position += 1
    return rows


class SlowJson:
    """I-JSON (RFC 7493) by recursive descent: `SlowJson(text).value()`. Unless `whole`, values may hold half of a pair."""

    def __init__(self, text: str, whole: bool = True) -> None:
        self.text = text
        self.whole = whole
        self.place = 0

    def value(self) -> Any:
        found = self._value()
        if self._next():
            raise Refused("text after the value")
        return found

    def _next(self) -> str:
        """The next sign that is no white space, which stays."""
        while self.place < len(self.text) and self.text[self.place] in " \t\n\r":
            self.place += 1
        return self.text[self.place : self.place + 1]

    def _take(self, sign: str) -> bool:
        if self._next() == sign:
            self.place += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise Refused(f"{sign} is missing")

    def _value(self) -> Any:
        if self._take("{"):
            return self._object()
        if self._take("["):
            return self._list()
        if self._next() == '"':
            return self._string(self.whole)
        for word, value in (("true", True), ("false", False), ("null", None)):
            if self.text.startswith(word, self.place):
                self.place += len(word)
                return value
        return self._number()

    def _object(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not (not found and self._take("}")):
            self._next()
            name = self._string(whole=True)
            if name in found:
                raise Refused(f"{name} stands twice")
            self._expect(":")
            found[name] = self._value()
            if self._take("}"):
                break
            self._expect(",")
        return found

    def _list(self) -> list[Any]:
        found: list[Any] = []
        while not (not found and self._take("]")):
            found.append(self._value())
            if self._take("]"):
                break
            self._expect(",")
        return found

    def _string(self, whole: bool) -> str:
        if self.text[self.place : self.place + 1] != '"':
            raise Refused("a string is missing")
        self.place += 1
        units: list[tuple[bool, str]] = []  # whether it is escaped
        while (sign := self.text[self.place : self.place + 1]) != '"':
            if not sign or sign < " ":
                raise Refused("a string that is not closed, or a control character in it")
            self.place += 1
            units.append((True, self._escaped()) if sign == "\\" else (False, sign))
        self.place += 1
        # Two escapes make a pair; half of one that stands in the text itself joins nothing.
        runs = ["".join(unit for _, unit in run) for _, run in groupby(units, key=lambda unit: unit[0])]
        joined = [run.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass") for run in runs]
        if whole and not all(map(_is_unicode, joined)):
            raise Refused("half of a surrogate pair")
        return "".join(joined)

    def _escaped(self) -> str:
        sign = self.text[self.place : self.place + 1]
        self.place += 1
        if sign == "u":
            digits = self.text[self.place : self.place + 4]
            if len(digits) < 4 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
                raise Refused("\\u without four digits")
            self.place += 4
            return chr(int(digits, 16))
        plain = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
        if sign not in plain:
            raise Refused("an unknown escape")
        return plain[sign]

    def _number(self) -> int | float:
        start = self.place
        while self.text[self.place : self.place + 1] and self.text[self.place] in "+-.eE0123456789":
            self.place += 1
        text = self.text[start : self.place]
        whole, power, exponent = text.lower().partition("e")
        integer, dot, fraction = whole.removeprefix("-").partition(".")
        digits = [integer, *([fraction] if dot else []), *([exponent[exponent[:1] in ("+", "-") :]] if power else [])]
        if not all(part.isascii() and part.isdecimal() for part in digits) or (integer != "0" and integer.startswith("0")):
            raise Refused("no number")
        return float(text) if dot or power else int(text)


def same(one: Any, other: Any) -> bool:
    """Equal values of equal types, at any depth."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or (isinstance(one, float) and math.isnan(one) and math.isnan(other))


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= sign <= "\udfff" for sign in text)
