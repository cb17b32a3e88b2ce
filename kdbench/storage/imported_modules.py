"""The modules that a source file imports, read from its text."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


@cache
def parsed(module: str, file: Path) -> tuple[str, tuple[str, ...]]:
    """The digest of a file, and the names of modules that it may import, those imported in functions included."""
    try:
        content = _content(file)
    except OSError:
        return "", ()
    digest = hashlib.sha256(content).hexdigest()
    return digest, _imports(module, file.name == "__init__.py", content) if file.suffix == ".py" else ()


@lru_cache(maxsize=1024)  # kept when digests are forgotten, as it depends on nothing but the text: files are seldom edited
def _imports(module: str, package: bool, content: bytes) -> tuple[str, ...]:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return ()
    around = module if package else module.rpartition(".")[0]
    names = [name for node in ast.walk(tree) for name in _imported(node, around)]
    parents = [part for name in [module, *names] for part in prefixes(name)]
    return tuple(dict.fromkeys(parents))


def source_digest(file: Path) -> str:
    """The digest of a file as it is now, "" if it cannot be read."""
    try:
        return hashlib.sha256(_content(file)).hexdigest()
    except OSError:
        return ""


def _content(file: Path) -> bytes:
    """With line ends of one kind: a checkout may have others."""
    return file.read_bytes().replace(b"\r\n", b"\n")


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        yield from (base, *(f"{base}.{alias.name}" for alias in node.names if alias.name != "*"))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value):
        # For importlib.import_module("package.module"), within one's own package: "data.csv" is no module of a folder `data`
        # that happens to lie where Python was started.
        yield from [node.value] if prefixes(node.value)[0] == prefixes(package)[0] else []


def prefixes(name: str) -> list[str]:
    """A module's name and those of the packages around it, the outermost first."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
