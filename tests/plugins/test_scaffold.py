"""Packages that kdbench writes: they install, load, conform, and are clean."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import pytest

from kdbench import KdbenchError
from kdbench.plugins.loading import KINDS, Kind, Plugins, installed
from kdbench.plugins.parameters import RESERVED, checked_params
from kdbench.plugins.scaffold import LONGEST, TEMPLATES, kinds, write_package
from kdbench.suite.model import SuiteFile
from kdbench.suite.schema import SUITE_KINDS
from kdbench.suite.yaml_file import read
from tests.support.paths import ROOT

IN_SUITES = cast(list[Kind], ["dataset", "objective", "strategy", "student", "teacher"])
KINDS_WRITTEN = cast(list[Kind], sorted([*IN_SUITES, "attribution", "engine", "exporter", "report", "tracker"]))
LONG = "q" + "-27letters" * 3 + "-and-more"


def test_there_is_a_template_of_every_kind_that_a_suite_names() -> None:
    assert kinds() == KINDS_WRITTEN
    assert sorted(SUITE_KINDS) == IN_SUITES
    assert set(KINDS) - set(KINDS_WRITTEN) == {"task"}  # docs/plugins/task.md has a whole one
    assert len(LONG) == LONGEST


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One package of each kind, the kind its name."""
    folder = tmp_path_factory.mktemp("packages")
    return {kind: write_package(kind, f"my-{kind}", folder)[0].parent for kind in KINDS_WRITTEN}


@pytest.fixture(scope="module")
def tested(packages: dict[str, Path]) -> str:
    """What pytest says of all their tests, run as their authors would, in one process for its start takes longest."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, packages.values())), "OMP_NUM_THREADS": "1"}
    tests = [str(package / "tests") for package in packages.values()]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rA",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(Path(tests[0]).parents[1]),
    ]
    done = subprocess.run([*command, *tests], capture_output=True, text=True, env=environment, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS_WRITTEN)
def test_a_package_passes_its_own_tests(kind: str, packages: dict[str, Path], tested: str) -> None:
    ran = re.findall(rf"^(PASSED|FAILED|ERROR) \S*test_kdbench_my_{kind}\.py::(\w+)", tested, flags=re.MULTILINE)
    written = re.findall(r"^def (test_\w+)", (packages[kind] / f"tests/test_kdbench_my_{kind}.py").read_text(), re.MULTILINE)
    assert {test for outcome, test in ran if outcome == "PASSED"} == set(written), tested
    assert ("test_it_conforms" in written) == (kind in IN_SUITES)  # the kit has no properties of other kinds


@pytest.mark.parametrize("kind", KINDS_WRITTEN)
def test_a_package_is_found_by_its_entry_point(kind: Kind, packages: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((packages[kind] / "pyproject.toml").read_text())
    assert project["project"]["name"] == f"kdbench-my-{kind}"
    assert project["project"]["dependencies"] == ["kdbench"]
    [(name, module)] = project["project"]["entry-points"]["kdbench"].items()
    assert (packages[kind] / project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"][0]).is_dir()
    monkeypatch.syspath_prepend(str(packages[kind]))
    plugins = Plugins().load([EntryPoint(name, module, "kdbench")])
    assert plugins.broken == {}
    [(offered, listed)] = plugins.offers(kind).items()
    assert offered == name == f"my-{kind}"
    assert listed.offer.summary


@pytest.mark.parametrize("kind", KINDS_WRITTEN)
def test_listing_it_does_not_load_torch(kind: str, packages: dict[str, Path]) -> None:
    code = f"import sys, kdbench_my_{kind}; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(packages[kind])}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.parametrize("kind", sorted(set(KINDS_WRITTEN) - set(IN_SUITES)))
def test_the_readme_has_commands(kind: Kind, packages: dict[str, Path]) -> None:
    readme = (packages[kind] / "README.md").read_text()
    for command in ("pip install -e '.[test]'", "pytest", f"kdbench plugins {kind}"):
        assert command in readme
    assert re.search(rf"^kdbench (run|export|leaderboard|attribute) .*my-{kind}", readme, re.MULTILINE)


@pytest.mark.parametrize("kind", IN_SUITES)
def test_the_readme_has_commands_and_a_suite_that_is_one(
    kind: Kind, packages: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    readme = (packages[kind] / "README.md").read_text()
    for command in ("pip install -e '.[test]'", "pytest", f"kdbench plugins {kind}"):
        assert command in readme
    snippet = re.search(r"```yaml\n(.*?)```", readme, flags=re.DOTALL)
    assert snippet
    path = tmp_path / "suite.yaml"
    path.write_text(snippet[1])
    written, _ = read(path)
    assert set(written) <= set(SuiteFile.model_fields)
    [entry] = [entry for entry in _entries(written) if entry.get("use") == f"my-{kind}"]
    monkeypatch.syspath_prepend(str(packages[kind]))
    plugins = Plugins().load([EntryPoint(f"my-{kind}", f"kdbench_my_{kind}", "kdbench")])
    params = {name: value for name, value in entry.items() if name not in RESERVED}
    assert checked_params(plugins.find(kind, f"my-{kind}").offer, params).items() >= params.items()


def _entries(node: Any) -> list[dict[str, Any]]:
    """All maps under a node of a suite."""
    if isinstance(node, dict):
        return [node, *(entry for value in node.values() for entry in _entries(value))]
    return [entry for value in node for entry in _entries(value)] if isinstance(node, list) else []


def test_packages_are_clean(packages: dict[str, Path], tmp_path: Path) -> None:
    """By their own settings and by kdbench's rules, however long the name."""
    longest = [write_package(kind, LONG, tmp_path / kind)[0].parent for kind in KINDS_WRITTEN]
    folders = [str(folder) for folder in [*packages.values(), *longest]]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    # Tests of theirs say what they mean with bare assertions and numbers, as these here do.
    rules = ["--select", ",".join(settings["select"]), "--ignore", ",".join(settings["ignore"])]
    ruff = str(Path(sys.executable).with_name("ruff"))
    for command in (["check"], ["check", *rules], ["format", "--check"]):
        done = subprocess.run([ruff, *command, "--no-cache", *folders], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_written_is_what_is_returned(tmp_path: Path) -> None:
    written = write_package("student", "Two_Towers-2", tmp_path / "not" / "yet")
    package = tmp_path / "not" / "yet" / "kdbench-Two_Towers-2"
    assert [str(path.relative_to(package)) for path in written] == [
        "README.md",
        "kdbench_two_towers_2/__init__.py",
        "kdbench_two_towers_2/towers.py",
        "pyproject.toml",
        "tests/test_kdbench_two_towers_2.py",
    ]
    assert sorted(path for path in package.rglob("*") if path.is_file()) == written
    assert 'NAME = "Two_Towers-2"' in written[1].read_text()
    assert "from kdbench_two_towers_2.towers import Towers" in written[1].read_text()


@pytest.mark.parametrize("kind", KINDS_WRITTEN)
def test_nothing_is_left_to_fill_in(kind: Kind, packages: dict[str, Path]) -> None:
    for path in packages[kind].rglob("*.*"):
        if path.is_file() and path.suffix in (".py", ".md", ".toml"):
            assert "$" not in path.read_text()


@pytest.mark.parametrize(
    "name",
    ["", "2nd", "my strategy", "my--own", "-mine", "mine-", "_mine", "mine.py", "../mine", "mine/yours", "é", "m" * 41, "a\n"],
)
def test_names_that_will_not_do(name: str, tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=r"is invalid; expected letters and digits"):
        write_package("strategy", name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["equal", "Equal", "ammkd"])
def test_names_that_are_offered_already(name: str, tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=rf"kdbench:{name.lower()} already offers the strategy '{name.lower()}'"):
        write_package("strategy", name, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert name in installed().offers("strategy") or name == "Equal"
    write_package("teacher", name, tmp_path)


def test_a_hyphen_is_an_underscore(tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match="already offers the objective 'relational_kl'"):
        write_package("objective", "relational-kl", tmp_path)


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kdbench-mine").mkdir()
    (tmp_path / "kdbench-mine" / "pyproject.toml").write_text("precious")
    with pytest.raises(KdbenchError, match=r"kdbench-mine exists already; nothing was written"):
        write_package("strategy", "mine", tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["kdbench-mine", "pyproject.toml"]
    assert (tmp_path / "kdbench-mine" / "pyproject.toml").read_text() == "precious"


def test_a_kind_without_a_template(tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match="there is no template for 'task'; expected one of attribution, dataset, engine"):
        write_package("task", "bell", tmp_path)


def test_templates_travel_with_the_package() -> None:
    """Under the package itself, not named as Python: what hatch takes along and other tools leave alone."""
    assert Path(str(TEMPLATES)).parent == Path(import_module("kdbench.plugins").__path__[0])
    names = [path.name for path in Path(str(TEMPLATES)).rglob("*") if path.is_file()]
    assert len(names) == 32
    assert all(name.endswith(".template") for name in names)
