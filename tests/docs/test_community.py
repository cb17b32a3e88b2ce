"""What a repository needs beside its code is there and says what the code says."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

import kdbench
from tests.support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def workflow(name: str) -> Any:
    return yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text(encoding="utf-8"))


def commands(name: str) -> str:
    return "\n".join(step.get("run", "") for job in workflow(name)["jobs"].values() for step in job["steps"])


@pytest.mark.parametrize("name", ["bug", "method"])
def test_issue_templates(name: str) -> None:
    form = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)


def test_workflows_call_what_people_call() -> None:
    assert ".ci/run" in commands("ci")
    assert "make docs" in commands("docs")
    assert "kdbench verify results" in commands("records")
    assert "--html" in commands("records")
    assert all(workflow(name)["permissions"] == {"contents": "read"} for name in ("ci", "docs", "records"))


def test_the_citation_has_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == kdbench.__version__ == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Homepage"]


def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert titles == ["Unreleased", PROJECT["version"]]
    for title in titles:
        assert f"\n[{title}]: https://" in text
    assert set(re.findall(r"^### (.+)", text, re.MULTILINE)) <= {
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
        "Breaking for plugin authors",
    }


def test_pre_commit_runs_commands_that_make_test_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    assert {hook["id"] for hook in hooks} == {"ruff", "ruff-format", "import-linter", "generated-docs"}
    assert all(hook["language"] == "system" for hook in hooks)  # nothing is fetched


def test_make_has_the_targets_that_pages_name() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pages = "".join(
        path.read_text("utf-8") for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    )
    named = set(re.findall(r"(?:`|^)make ([\w-]+)", pages, re.MULTILINE))
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    assert named <= targets
    assert {"quickstart", "test", "lint", "bench", "faults", "docs", "docs-graph", "readme", "clean"} <= targets
