"""Whether the source that digests are made of is the source that this process executes.

Python does not keep the text that it has compiled. The files behind a plugin are therefore hashed before it is imported and
once more afterwards; those that it imports later, when something is built, are compared until they have been imported, too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kdbench.errors import KdbenchError
from kdbench.storage.code_digest import sources_of
from kdbench.storage.imported_modules import parsed, source_digest
from kdbench.storage.module_files import FIRST_PARTY, top

AGAIN = "records name the source that was executed; start kdbench (or the notebook's Python) again"


@dataclass
class _Noted:
    file: Path
    digest: str
    imported: bool  # while the file had this digest


_noted: dict[str, _Noted] = {}  # by module


@contextmanager
def importing(module: str) -> Iterator[None]:
    """A context in which a module of a third party is imported.

    Raises KdbenchError if its source, or that of another module of its author that it imports, changes in the meantime.
    Modules that were imported before, without this context, are taken to be those on the disk.
    """
    if top(module) in FIRST_PARTY:
        yield
        return
    before = sources_of(module)
    known = {name for name in before if name in sys.modules}
    yield
    for name, (file, digest) in before.items():
        if name not in _noted or name not in known:
            if source_digest(file) != digest:
                raise KdbenchError(f"{file}: has changed while it was imported; {AGAIN}")
            _noted[name] = _Noted(file, digest, name in sys.modules)


def check_loaded() -> None:
    """Raises KdbenchError if a digest may be that of other source than this process executes.

    Such as that of a module that was edited after its plugin was loaded and before the module itself was imported, or, after
    `forget_code`, of any module that has been edited since it was imported. Modules that have not been imported do not matter.
    """
    for name, noted in _noted.items():
        if name not in sys.modules:  # not executed: an edit of it counts for later commands
            continue
        in_use = parsed(name, noted.file)[0] if noted.imported else source_digest(noted.file)
        if in_use != noted.digest:
            raise KdbenchError(f"{noted.file}: has changed since this process loaded {top(name)}; {AGAIN}")
        noted.imported = True
