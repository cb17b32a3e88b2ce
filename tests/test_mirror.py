"""Every source module has its test module at the mirrored path, or a line that says which test covers it.

kdbench/a/b.py is tested in tests/a/test_b.py, plugins/kdbench_plugins/a/b.py in tests/kdbench_plugins/a/test_b.py. The other
modules stand in tests/covered_elsewhere.txt, each with the test module that covers it.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.support.paths import ROOT

LISTED = ROOT / "tests/covered_elsewhere.txt"


def sources() -> list[Path]:
    """All modules of the core and the first-party plugins; `__init__` and `__main__` hold no logic of their own."""
    found = [*ROOT.glob("kdbench/**/*.py"), *ROOT.glob("plugins/kdbench_plugins/**/*.py")]
    return sorted(path.relative_to(ROOT) for path in found if path.name not in ("__init__.py", "__main__.py"))


def mirrored(source: Path) -> Path:
    folder = Path(*source.parts[1:-1])
    return Path("tests", folder, f"test_{source.name}")


def listed() -> dict[Path, Path]:
    """Source → the test that covers it."""
    lines = [line.split() for line in LISTED.read_text().splitlines() if line and not line.startswith("#")]
    return {Path(source): Path(test) for source, test in lines}


def imported(test: Path) -> set[str]:
    """Modules that a test imports, directly or through a helper of tests/support, with those that they import in turn."""
    pending, seen = [module_of(test)], set()
    while pending:
        module = pending.pop()
        if module in seen:
            continue
        seen.add(module)
        path = path_of(module)
        if path is not None:
            pending += names_in(path)
    return seen


@cache
def names_in(path: Path) -> list[str]:
    """What a file imports anywhere in it, functions included; `from a import b` may mean the module a.b."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return [name for name in found if name.split(".")[0] in ("kdbench", "kdbench_plugins", "tests")]


def path_of(module: str) -> Path | None:
    base = ROOT / "plugins" if module.startswith("kdbench_plugins") else ROOT
    path = base.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def module_of(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[1:] if parts[0] == "plugins" else parts)


@pytest.mark.parametrize("source", sources(), ids=str)
def test_a_module_has_a_test(source: Path) -> None:
    if not (ROOT / mirrored(source)).is_file():
        assert source in listed(), f"{source} has no {mirrored(source)} and no line in {LISTED.name}"


@pytest.mark.parametrize(("source", "test"), listed().items(), ids=str)
def test_a_line_is_true(source: Path, test: Path) -> None:
    """Both files exist, the line is needed, and the test reaches the module by its imports."""
    assert (ROOT / source).is_file(), f"{source}: no such module; remove its line"
    assert not (ROOT / mirrored(source)).is_file(), f"{source} has {mirrored(source)}; remove its line"
    assert (ROOT / test).is_file(), f"{test}: no such test"
    reached = imported(test)
    assert module_of(source) in reached, f"{test} does not reach {source}"
