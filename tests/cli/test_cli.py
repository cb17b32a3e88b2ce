"""The command line: what it prints, how it ends, how fast it starts."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from torch import Tensor

from kdbench import Offer, Signal, Strategy, hookimpl
from kdbench.plugins.loading import Plugins
from kdbench.records.files import record_path, write_record, write_trace
from kdbench.records.record import Record
from kdbench.records.trace import Trace
from kdbench.storage.cache import Cache, Entry
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.suite.spec import RunSpec
from tests.support.command_plugins import add_first_party
from tests.support.paths import ROOT
from tests.support.rankings import finished, write

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]
Command = Callable[..., tuple[int, str, str]]
QUICKSTART = str(ROOT / "suites/quickstart.yaml")
SCRIPT = str(Path(sys.executable).with_name("kdbench"))


@pytest.fixture
def kdbench(typed: Command, plugins: Plugins, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Types a command; the tiny plugins are what is installed."""
    add_first_party(plugins)
    monkeypatch.setattr("kdbench.plugins.loading.installed", lambda: plugins)
    return typed


def process(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=os.environ | {"COLUMNS": "150"} | environment
    )


# How it starts


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["schema"], ["suites"], ["plan", QUICKSTART], ["cache", "-h"]])
def test_starting_imports_no_torch(arguments: list[str]) -> None:
    """And neither does offering plugins or laying out a suite; `check` may, where a plugin looks deeper."""
    code = (
        f"import sys; sys.argv = ['kdbench', *{arguments}]\nfrom kdbench.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in ('torch', 'open_clip', 'timm', 'transformers', 'pandas') if name in sys.modules])"
    )
    done = process(sys.executable, "-c", code)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.parametrize("argument", ["--help", "plugins"])
def test_starting_takes_less_than_half_a_second(argument: str) -> None:
    """In seconds of the processor: those of the clock also count what else the machine is doing."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert process(SCRIPT, argument).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(once() for _ in range(3)) < 0.5


@pytest.mark.parametrize("arguments", [["plugins", "strategy"], ["schema"], ["check", "absent.yaml"], ["chek"]])
def test_python_m_kdbench_is_kdbench(arguments: list[str]) -> None:
    script, module = process(SCRIPT, *arguments), process(sys.executable, "-m", "kdbench", *arguments)
    assert (script.returncode, script.stdout) == (module.returncode, module.stdout)
    assert script.stderr == module.stderr.replace("python -m kdbench", "kdbench")


def test_without_arguments_it_helps(kdbench: Command) -> None:
    _, out, _ = kdbench()
    assert "kdbench run quickstart" in " ".join(out.split())


# How it ends


def test_a_wrong_suite_ends_with_2_and_no_traceback(suite_file: Callable[..., Path]) -> None:
    path = suite_file()
    path.write_text(path.read_text().replace("- equal", "- eqaul"))
    for verb in ("check", "plan", "run"):
        done = process(SCRIPT, verb, str(path))
        assert done.returncode == 2
        assert f"{path}:15: strategies[0].use\n  found     'eqaul'" in done.stderr
        assert "did you mean 'equal'?" in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "absent.yaml"], "absent.yaml: no such file"),
        (["check", "suite.yaml", "train.lr"], "override 'train.lr': expected dotted.path=value"),
        (["run", "suite.yaml", "--device", "gpu"], "--device: found 'gpu', expected auto, cpu, cuda"),
        (["plugins", "strategi"], "no kind of plugin is called 'strategi'; did you mean 'strategy'?"),
        (["leaderboard", "nowhere"], "nowhere: no such file or folder"),
        (["leaderboard"], "results: no such file or folder"),
        (["leaderboard", "--format", "html"], "--format: use\n  found     'html'"),
        (["run"], "Missing argument"),
        (["chek"], "check"),
    ],
)
def test_what_is_the_users_to_mend_ends_with_2(
    arguments: list[str], message: str, kdbench: Command, suite_file: Callable[..., Path]
) -> None:
    suite_file()
    code, out, err = kdbench(*arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_a_bug_keeps_its_traceback(kdbench: Command, plugins: Plugins, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(kind: str) -> None:
        raise ZeroDivisionError(kind)

    monkeypatch.setattr(plugins, "offers", bug)
    with pytest.raises(ZeroDivisionError):
        kdbench("plugins")


# What it prints


def test_check(kdbench: Command, suite_file: Callable[..., Path]) -> None:
    path = suite_file()
    assert kdbench("check", path) == (0, f"{path}: fine, 8 runs\n", "")
    assert kdbench("check", path, "seeds=[0]", "teams=[[]]") == (0, f"{path}: fine, 1 run\n", "")


def test_plugins(kdbench: Command) -> None:
    code, out, _ = kdbench("plugins")
    rows = [line.split() for line in out.splitlines()[2:]]
    assert code == 0
    first = [["task", "retrieval"], ["dataset", "shapes"], ["teacher", "lens"], ["teacher", "tutor"]]
    assert [row[:2] for row in rows][:4] == first
    assert ["strategy", "equal"] in [row[:2] for row in rows]
    assert rows[1][2:] == ["squares", "and", "circles", "tests:tiny"]
    _, out, _ = kdbench("plugins", "objective")
    assert [line.split() for line in out.splitlines()[2:]] == [["objective", "cosine", "tests:tiny"]]


def test_one_plugin_is_described(kdbench: Command) -> None:
    code, out, _ = kdbench("plugins", "ammkd")
    assert code == 0
    assert out.startswith("strategy ammkd: gradient-diversity weights")
    assert "space        embedding | parameters  embedding" in out
    code, out, error = kdbench("plugins", "ammdk")
    assert (code, out) == (2, "")
    assert error == "no plugin and no kind of plugin is called 'ammdk'; did you mean 'ammkd'?\n"


class ByPlace:
    """Weights that depend on where a teacher stands."""

    def weigh(self, signal: Signal) -> Tensor:
        weights = signal.losses.new_ones(len(signal.teachers)).cumsum(0) ** 2
        return weights / weights.sum()


class Offering:
    def __init__(self, name: str) -> None:
        self.name = name

    @hookimpl
    def kdbench_strategies(self) -> list[Offer[Strategy]]:
        return [Offer(self.name, ByPlace)]


def test_conform(kdbench: Command) -> None:
    code, out, err = kdbench("conform", "fixed")
    assert (code, err) == (0, "")
    assert out.startswith("strategy fixed, from kdbench:fixed\n  ✓ can be built\n  ✓ weights are a simplex")
    assert "✗" not in out


def test_conform_names_the_property_that_fails(kdbench: Command, plugins: Plugins) -> None:
    plugins.register(Offering("by_place"), "tests:offers")
    code, out, _ = kdbench("conform", "by_place")
    assert code == 1
    [failed] = [line for line in out.splitlines() if "✗" in line]
    assert failed.startswith("  ✗ permuting teachers permutes weights: ")
    assert "expected" in failed


def test_conform_with_parameters(kdbench: Command, plugins: Plugins) -> None:
    plugins.register(Offering("pebble"), "tests:offers")  # as a student is called
    code, out, _ = kdbench("conform", "ammkd", "C=2")
    assert code == 1
    assert "✗ can be built" in out
    assert kdbench("conform", "ammkd", "C=0.7")[0] == 0
    assert kdbench("conform", "pebble", "width=3")[::2] == (
        2,
        "'pebble' is the name of a student and a strategy; choose one with --kind\n",
    )
    code, out, _ = kdbench("conform", "pebble", "--kind", "strategy")
    assert code == 1
    assert "student" not in out
    assert kdbench("conform", "pebble", "--kind", "teacher")[::2] == (2, "--kind: no teacher is called 'pebble'\n")


def test_new(kdbench: Command, tmp_path: Path) -> None:
    code, out, err = kdbench("new", "strategy", "mine", "--in", "there")
    assert code == 0
    assert set(out.split()) == {str(path.relative_to(tmp_path)) for path in (tmp_path / "there").rglob("*") if path.is_file()}
    assert err == "\nNext: pip install -e there/kdbench-mine && kdbench conform mine\n"
    assert kdbench("new", "strategy", "mine", "--in", "there")[0] == 2


def test_inspect(kdbench: Command, spec: Spec, record: Make, tmp_path: Path) -> None:
    made = record(spec())
    path = record_path(tmp_path / "results", made.spec.suite, made.run_id)
    assert kdbench("inspect", made.run_id[:6])[0] == 2  # nothing is recorded
    path.parent.mkdir(parents=True)
    trace = Trace(
        step=[1, 2],
        loss=[3.0, 2.0],
        task=[2.0, 1.0],
        weights={"a": [0.5, 0.4], "b": [0.5, 0.6]},
        entropy=[0.69, 0.67],
        cosines={"a · b": [0.5, -0.5]},
        conflict=[0, 1],
    )
    write_record(tmp_path / "results", made.replace(trace_sha256=write_trace(path, trace)))
    code, out, err = kdbench("inspect", made.run_id[:6], "--png", "what.png")
    assert code == 0
    assert "Weight of each teacher" in out
    assert err == "Drawn into what.png\n"
    assert (tmp_path / "what.png").read_bytes().startswith(b"\x89PNG")


def test_plugins_of_others_and_those_that_fail(distribution: Callable[[str, str], Path]) -> None:
    good = distribution("acmegood", "@hookimpl\ndef kdbench_strategies():\n    return [Offer('soft', dict, 'a soft one')]")
    bad = distribution("acmebad", "raise RuntimeError('out of order')")
    done = process(SCRIPT, "plugins", "strategy", PYTHONPATH=f"{good}{os.pathsep}{bad}")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert ["strategy", "soft", "a", "soft", "one", "acmegood:plugin"] in rows
    assert ["strategy", "equal"] in [row[:2] for row in rows]
    assert "acmebad:plugin failed to load: RuntimeError: out of order" in done.stderr


def test_plan(kdbench: Command, suite_file: Callable[..., Path], plugins: Plugins, record: Make, tmp_path: Path) -> None:
    path = suite_file()
    specs = plan(load_suite(path, plugins))
    write_record(tmp_path / "results", record(specs[0]))
    write_record(tmp_path / "results", record(specs[1], status="failed", reason="out of memory"))
    code, out, err = kdbench("plan", path)
    rows = [line.split() for line in out.splitlines()[2:10]]
    assert (code, err) == (0, "")
    assert [row[0] for row in rows] == [spec.run_id for spec in specs]
    assert rows[0][1:] == ["shapes", "pebble", "no", "distillation", "–", "0", "ok"]
    assert rows[1][1:] == ["shapes", "pebble", "a", "–", "0", "failed"]
    assert rows[7][1:] == ["shapes", "pebble", "a", "+", "b", "ammkd", "1", "to", "do"]
    assert out.splitlines()[-1].startswith("7 of 8 runs to do, about ")
    _, elsewhere, _ = kdbench("plan", path, "--results", tmp_path / "none")
    assert elsewhere.splitlines()[-1].startswith("8 of 8 runs to do; ")
    assert not (tmp_path / "none").exists()


def test_schema(kdbench: Command) -> None:
    code, out, err = kdbench("schema")
    assert (code, err) == (0, "")
    schema = json.loads(out)
    Draft202012Validator.check_schema(schema)
    assert "strategy:ammkd" in schema["$defs"]


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("diverged", 1)])
def test_run_when_all_is_recorded(
    status: str,
    code: int,
    kdbench: Command,
    suite_file: Callable[..., Path],
    plugins: Plugins,
    record: Make,
    tmp_path: Path,
) -> None:
    """Nothing is trained: the tiny plugins cannot even be built."""
    path = suite_file()
    specs = plan(load_suite(path, plugins))
    for spec in specs[:-1]:
        write(tmp_path / "results", finished(spec, *np.random.default_rng(spec.seed).integers(1, 11, (2, 10))))
    if status == "ok":
        write(tmp_path / "results", finished(specs[-1], *np.ones((2, 10))))
    else:
        write_record(tmp_path / "results", record(specs[-1], status=status, reason="not a number", metrics={}))
    found, out, err = kdbench("run", path, "--no-profile")
    assert found == code
    assert err == "All 8 runs are recorded under results/tiny.\n"
    assert out.count("· pebble ·") >= 1
    assert len([line for line in out.splitlines() if "±" in line and "interval" not in line]) >= 4
    assert ("diverged: not a number" in out) == (status == "diverged")


# The cache


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Two entries of 2,000 and 3,000 bytes in the folder that the environment names."""
    made = Cache(tmp_path / "cache")
    for name, size in (("one", 2000), ("two", 3000)):
        made.entry("embeddings", {"teacher": name}, partial(_fill, size))
    return made


def _fill(size: int, folder: Path) -> None:
    (folder / "data.bin").write_bytes(b"x" * size)


def intact(cache: Cache) -> list[Entry]:
    return [entry for entry in cache.entries() if isinstance(entry, Entry)]


def data_of(cache: Cache, name: str) -> Path:
    (entry,) = (entry for entry in intact(cache) if entry.identity == {"teacher": name})
    return entry.folder / "data.bin"


def test_cache_list(cache: Cache, kdbench: Command) -> None:
    code, out, err = kdbench("cache", "list")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()[2:]]
    assert {row[1] for row in rows} == {entry.folder.name[:12] for entry in intact(cache)}
    assert {tuple(row[-2:]) for row in rows} == {("teacher", "one"), ("teacher", "two")}
    assert {row[0] for row in rows} == {"embeddings"}


def test_an_empty_cache(kdbench: Command, tmp_path: Path) -> None:
    assert kdbench("cache", "list")[0] == 0
    assert kdbench("cache", "verify")[:2] == (0, "entries intact: 0, damaged: 0\n")
    assert kdbench("cache", "clear", "--yes", "--cache", tmp_path / "none")[0] == 0


def test_cache_verify(cache: Cache, kdbench: Command) -> None:
    assert kdbench("cache", "verify") == (0, "entries intact: 2, damaged: 0\n", "")
    path = data_of(cache, "one")
    path.write_bytes(b"y" + path.read_bytes()[1:])
    code, out, err = kdbench("cache", "verify")
    assert code == 1
    assert out.startswith("entries intact: 1, damaged: 1")
    assert err.startswith(f"damaged: {path}: found sha256 ")


@pytest.mark.parametrize("content", ["", "{}", "[]"])
def test_a_damaged_manifest_is_a_damaged_entry(content: str, cache: Cache, kdbench: Command) -> None:
    """It neither hides the other entries nor stops their verification."""
    path = data_of(cache, "one").with_name("manifest.json")
    path.write_text(content)
    code, out, err = kdbench("cache", "verify")
    assert code == 1
    assert out.startswith("entries intact: 1, damaged: 1")
    assert str(path) in err
    code, out, err = kdbench("cache", "list")
    assert "teacher two" in out
    assert str(path) in err


def test_cache_clear_asks(cache: Cache, kdbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.confirm", _refuse)
    code, out, _ = kdbench("cache", "clear")
    assert code == 1
    assert "freed" not in out
    assert len(list(cache.entries())) == 2


def _refuse(question: str, abort: bool) -> None:
    import typer

    assert question.startswith("Remove everything under /")
    assert abort
    raise typer.Abort


def test_cache_clear(cache: Cache, kdbench: Command) -> None:
    code, out, _ = kdbench("cache", "clear", "--yes")
    assert (code, out) == (0, "0.0 MB freed\n")
    assert list(cache.entries()) == []


def test_cache_clear_takes_no_folder_for_a_cache(kdbench: Command, tmp_path: Path) -> None:
    """A path that is a slip, such as a home folder, keeps what no cache has made."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    kdbench("cache", "clear", "--yes", "--cache", home)
    assert (home / "thesis.tex").read_text() == "years of work"
