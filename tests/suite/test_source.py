"""A suite as text: read once, and shown with its presets filled in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kdbench.errors import SuiteError
from kdbench.plugins.loading import Plugins, installed
from kdbench.suite import shipped
from kdbench.suite.check import check_suite, load_suite
from kdbench.suite.plan import plan
from kdbench.suite.source import read_suite
from kdbench.suite.study import studies

# With data in miniature: no suite of these needs a download to be checked.
SMALL = ["datasets[0].miniature=true", "train.batch_size=64"]
SMALL += [f"variants.{variant}.train.batch_size=64" for variant in ("fine-tuned", "from scratch")]


@pytest.mark.parametrize("name", shipped.suites())
def test_what_is_resolved_gives_the_same_runs(name: str, tmp_path: Path) -> None:
    overrides = SMALL if name in ("flickr30k", "coco") else []
    source = read_suite(shipped.suites()[name], overrides)
    path = tmp_path / "resolved.yaml"
    path.write_text(source.resolved, encoding="utf-8")
    assert "extends" not in source.resolved
    one, other = check_suite(source, installed()), load_suite(path, installed())
    assert [run.run_id for run in plan(one)] == [run.run_id for run in plan(other)]
    assert [study.digest for study in studies(one)] == [study.digest for study in studies(other)]


def test_it_is_read_once(suite_file: Callable[..., Path], plugins: Plugins) -> None:
    path = suite_file()
    source = read_suite(path, ["seeds=[3]"])
    path.unlink()
    for _ in range(2):  # checking changes nothing of it
        assert {run.seed for run in plan(check_suite(source, plugins))} == {3}
    assert "seeds: [3]\n" in source.resolved


def test_presets_cannot_be_overridden(suite_file: Callable[..., Path]) -> None:
    with pytest.raises(
        SuiteError, match=r"override extends=x: extends\n  found     'x'\n  expected  one of name, .*, train, .*: presets"
    ):
        read_suite(suite_file(), ["extends=x"])
