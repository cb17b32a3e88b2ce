"""What makes cache entries: the plugins in use, and the source of third parties among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from kdbench.storage.code_digest import code_digest
from kdbench.storage.digest import digest_of


@dataclass(frozen=True)
class Maker:
    """What makes cache entries: plugins with their packages, such as `{"teacher openclip": "kdbench 0.2.0"}`, and the digest of
    the source of third parties among them, "" if there is none."""

    plugins: Mapping[str, str] = field(default_factory=dict)
    code: str = ""


_in_use: ContextVar[Maker] = ContextVar("maker", default=Maker())  # noqa: B039  it is never changed


def maker() -> Maker:
    """The maker of the enclosing `made_by`."""
    return _in_use.get()


@contextmanager
def made_by(maker: Maker) -> Iterator[None]:
    """A context in which cache entries have this maker."""
    token = _in_use.set(maker)
    try:
        yield
    finally:
        _in_use.reset(token)


def code_behind(*objects: object) -> dict[str, str]:
    """What identifies the code of third parties in a cache entry: that of the objects, and that of the enclosing `made_by`.

    Empty if there is none, so that entries made by kdbench's own code keep their keys.
    """
    found = sorted({digest for digest in (maker().code, code_digest(objects)) if digest})
    return {"code": digest_of(found)} if found else {}
