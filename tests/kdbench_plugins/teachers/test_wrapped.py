"""Teachers around another one tell what it lacks before either is prepared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kdbench.errors import KdbenchError
from kdbench.plugins.building import building_with
from kdbench.plugins.loading import Plugins
from kdbench.suite.check import load_suite
from kdbench_plugins.objectives import relational_kl
from kdbench_plugins.teachers import embeddings, label_shuffled, normalized, tempered
from kdbench_plugins.teachers.normalized import Normalized
from kdbench_plugins.teachers.wrapped import refuse_lacking
from tests.support.toys import toy_plugins

IMAGES: dict[str, Any] = {"use": "embeddings", "images": "a.npy", "miniature": True}
BOTH: dict[str, Any] = {"use": "embeddings", "miniature": True}


@pytest.fixture(autouse=True)
def plugins_here() -> Iterator[None]:
    with building_with(toy_plugins(teachers=[*embeddings.kdbench_teachers(), *normalized.kdbench_teachers()])):
        yield


def test_they_lack_what_the_other_lacks() -> None:
    assert (Normalized(teacher=IMAGES, by="whiten").lacks, Normalized(teacher=BOTH, by="whiten").lacks) == ("text", None)
    assert Normalized(teacher={"use": "normalized", "teacher": IMAGES, "by": "whiten"}, by="whiten").lacks == "text"
    assert Normalized(teacher=BOTH, by="whiten").plain is True
    assert Normalized(teacher={"use": "sage"}, by="whiten").plain is False


def test_a_tower_that_is_needed_is_asked_for() -> None:
    refuse_lacking("one", ("image",), IMAGES, BOTH)
    with pytest.raises(KdbenchError, match="teacher one: found the teacher embeddings without text tower; expected one with"):
        refuse_lacking("one", ("image", "text"), BOTH, IMAGES)


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ("{use: normalized, by: whiten, teacher: TEACHER}", "does not need a text tower, which the teacher b lacks"),
        ("{use: tempered, temperature: 0.1, teacher: TEACHER}", "teacher tempered: found the teacher embeddings without text"),
        ("{use: entropy_matched, like: TEACHER, teacher: TEACHER}", "teacher entropy_matched: found the teacher embeddings"),
        ("{use: label_shuffled, teacher: TEACHER}", "teacher label_shuffled: found the teacher embeddings without text tower"),
    ],
)
def test_a_suite_tells_of_it(suite_file: Callable[..., Path], plugins: Plugins, teacher: str, message: str) -> None:
    """By the plugins that the suite is read with, not by those of this environment."""
    for module in (embeddings, label_shuffled, normalized, tempered, relational_kl):
        plugins.register(module, f"tests:{module.__name__}")

    def written(inner: str) -> Path:
        teachers = "b: {use: lens, focal: 50.0}", f"b: {teacher.replace('TEACHER', inner)}"
        return suite_file(teachers, ("- {use: cosine}", "- use: relational_kl"))

    load_suite(written("{use: lens, focal: 50.0}"), plugins, deep=True)
    with pytest.raises(KdbenchError) as raised:
        load_suite(written("{use: embeddings, images: a.npy, miniature: true}"), plugins, deep=True)
    assert message in str(raised.value)
