"""Properties of datasets of zero-shot classification, which may have a test split alone, and examples for testing its task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kdbench.contracts import Dataset
from kdbench.plugins.loading import Kind
from kdbench.tasks.retrieval.check_dataset import problems
from kdbench.testing import retrieval
from kdbench.testing.findings import Broken, Finding, Property, Waives, examine
from kdbench.testing.retrieval.datasets import PROPERTIES, Build, matched


def classes(build: Build) -> None:
    """Every image of the test split is of a class with a prompt, and every class has an image; there are two or more."""
    for where, found, expected in problems(build(), ("test",)):
        raise Broken(f"{where}: found {found}, expected {expected}")


_OWN: dict[str, Property[Callable[[], Dataset]]] = {
    "every test image is of a class with a prompt, every class has an image": classes
}


def find(build: Build, waives: Waives = ()) -> list[Finding]:
    """The findings about a dataset of classes."""
    return examine({name: look for name, look in PROPERTIES.items() if look is not matched} | _OWN, build, waives)


FIND: dict[Kind, Callable[..., list[Finding]]] = {**retrieval.FIND, "dataset": find}
EXAMPLES: dict[Kind, Callable[..., Any]] = retrieval.EXAMPLES
