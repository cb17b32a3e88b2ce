"""Tab completion."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.cli.completion import column_names, kinds, names_of, preset_names, suite_names


def test_completion(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quick-mine.yaml").write_text("name: mine\n")
    assert [name for name, _ in suite_names("quick")] == ["quick-mine.yaml", "quickstart"]
    assert dict(suite_names("emoji"))["emoji-sweep"] == "Four strategies on emoji, tuned with equal budgets."
    assert [name for name, _ in preset_names("students")("res")] == ["resnet-24px", "resnet-48px"]
    assert [name for name, _ in kinds("s")] == ["student", "strategy"]
    assert ("equal" in dict(names_of("strategy")("eq"))) is True


def test_columns_are_completed_after_those_already_there() -> None:
    assert {"rank", "rsum", "row"} <= set(dict(column_names("r")))
    assert dict(column_names("strategy,tr")) == {"strategy,train": "train (s)"}
