"""The rule for names, wherever they are born: of suites, variants, rows, teachers and plugins, and in records of others.

Names stand in tables, files, spreadsheets, figures, web pages and terminals, which all read other characters in a way of their
own. Each name is text that all of them show as it is.
"""

from __future__ import annotations

import re

LONGEST = 100
NAME = rf"^[A-Za-z0-9][A-Za-z0-9 ._+,:=/-]{{0,{LONGEST - 1}}}$"
# Of what is a key, a folder or a part of a command as well: suites and teachers.
WORD = rf"^[A-Za-z0-9][A-Za-z0-9_.+-]{{0,{LONGEST - 1}}}$"
OR_NONE = rf"^$|{NAME}"
_ENDS = f"beginning with a letter or digit, {LONGEST} characters at most"
EXPECTED = {
    NAME: f"letters, digits, spaces and . _ + , : = / -, {_ENDS}",
    OR_NONE: f"letters, digits, spaces and . _ + , : = / -, {_ENDS}; or nothing",
    WORD: f"letters, digits and . _ + -, {_ENDS}",
}
_NAME = re.compile(NAME)


def is_name(text: str) -> bool:
    """Whether a text can be a name."""
    return _NAME.fullmatch(text) is not None
