"""Docstrings, comments, messages and pages use the project's words: phrases that a newcomer would stumble over stay out."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

from tests.support.paths import ROOT

BANNED = {
    "surely better": "significantly better",
    "told apart": "indistinguishable, or say what differs",
    "gone on with": "resumes",
    "go on where": "resume",
    "coalition": "sub-team",
    "in one sitting": "in one run",
    "sittings?": "run",
    "so-manieth": "the n-th",
    "farewell": "close a connection",
    "whoever": "name the reader",
    "whatever becomes of": "including …",
    "once it is to be had": "acquire the lock",
    "not to be had": "cannot be read",
    "nobody listens": "ignores all events",
    "no bomb goes off": "rejects decompression bombs",
    "taking leave of": "shutting down",
    "while the runs take": "for the duration of the runs",
    "one would be one too many": "prevents …",
    "worth its while": "no better than …",
    "what no number says": "name the reader and the thing",
    "what is asked of it": "name the thing",
    "for whoever wants": "name the reader",
    "teachers? speaks?": "outputs are computed",
    "(teacher|student)'s voice": "embeddings",
    "what it hears": "embeddings",
    "lessons?": "training data (TeacherData)",
    "cut short": "truncated",
    "raise what they like": "raise many types",
}
PATTERN = re.compile("|".join(rf"(?P<w{i}>\b{phrase}\b)" for i, phrase in enumerate(BANNED)), re.IGNORECASE)
SOURCES = sorted(
    path
    for folder in ("kdbench", "plugins", "suites", "docs")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".md", ".yaml", ".html"} and "__pycache__" not in path.parts
)


def prose(path: Path) -> list[tuple[int, str]]:
    """The texts of a file with their lines: the comments and strings of Python, the whole of other files."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return [(1, text)]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    return [(token.start[0], token.string) for token in tokens if token.type in kinds]


def banned(path: Path) -> list[str]:
    found = []
    for line, text in prose(path):
        for match in PATTERN.finditer(" ".join(text.split())):
            better = list(BANNED.values())[int((match.lastgroup or "w0")[1:])]
            found.append(f"{path.relative_to(ROOT)}:{line}: found {match[0]!r}, expected {better!r}")
    return found


@pytest.mark.parametrize("folder", ["kdbench", "plugins", "suites", "docs"])
def test_no_banned_phrase(folder: str) -> None:
    found = [problem for path in SOURCES if path.is_relative_to(ROOT / folder) for problem in banned(path)]
    assert found == [], "\n".join(found)


def test_a_phrase_is_found_across_lines_and_in_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.docs.test_words.ROOT", tmp_path)
    path = tmp_path / "a.py"
    path.write_text('"""One row is surely\n    better."""\n\nx = 1  # it is gone on with\ncoalition = 2\n', encoding="utf-8")
    assert banned(path) == [
        "a.py:1: found 'surely better', expected 'significantly better'",
        "a.py:4: found 'gone on with', expected 'resumes'",
    ]
