"""Commands over suites: listed, planned, checked, resolved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kdbench.plugins.loading import Plugins, installed
from kdbench.records.files import write_record
from kdbench.records.parts import Part
from kdbench.records.record import Record
from kdbench.suite import shipped
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from tests.support.paths import ROOT

Make = Callable[..., Record]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_check(kdbench: Command, suite_file: Callable[..., Path]) -> None:
    path = suite_file()
    assert kdbench("check", path) == (0, f"{path}: fine, 8 runs\n", "")
    assert kdbench("check", path, "seeds=[0]", "teams=[[]]") == (0, f"{path}: fine, 1 run\n", "")


def test_several_suites_are_checked(kdbench: Command, suite_file: Callable[..., Path], tmp_path: Path) -> None:
    path = suite_file()
    folder = tmp_path / "several"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.yaml").write_text(path.read_text() if name != "b" else "name: b\n")
    (folder / "notes.txt").write_text("not a suite")
    fine = f"{folder}/a.yaml: fine, 4 runs\n{folder}/c.yaml: fine, 4 runs\n"
    for given in ([folder], [folder / "a.yaml", folder / "b.yaml", folder / "c.yaml"]):
        code, out, err = kdbench("check", *given, "seeds=[0]")
        assert (code, out) == (2, fine)
        assert f"{folder}/b.yaml" in err
        assert err.endswith("1 of 3 suites wrong\n")
    (folder / "b.yaml").unlink()
    assert kdbench("check", folder, "seeds=[0]") == (0, fine, "")
    (tmp_path / "empty").mkdir()
    code, out, err = kdbench("check", path, tmp_path / "empty")
    assert (code, out) == (2, "")
    assert err == f"{tmp_path}/empty: found no file *.yaml in this folder; expected suites\n"


def test_suites_stand_before_changes(kdbench: Command, suite_file: Callable[..., Path]) -> None:
    path = suite_file()
    for late in (str(path), "quickstart"):
        code, out, err = kdbench("check", path, "train.epochs=2", late)
        assert (code, out) == (2, "")
        assert err == f"found {late} after the change train.epochs=2; expected suites before changes, which all of them get\n"


def test_a_shipped_suite_beside_a_folder_of_its_name(typed: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One without suites in it, such as a folder of results."""
    (tmp_path / "quickstart").mkdir()
    monkeypatch.chdir(tmp_path)
    code, out, err = typed("check", "quickstart")
    assert (code, err) == (0, "")
    assert "quickstart.yaml: fine" in out


def test_a_plan_of_smoke_runs(kdbench: Command, suite_file: Callable[..., Path], plugins: Plugins) -> None:
    path = suite_file()
    code, out, _ = kdbench("plan", path, "--smoke")
    assert code == 0
    rows = [line.split()[0] for line in out.splitlines()[2:-2]]
    assert rows == [spec.run_id for spec in plan(load_suite(path, plugins, smoke=True))]
    assert len(rows) == 4


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


def raced(suite_file: Callable[..., Path], more: str = "") -> Path:
    path = suite_file()
    path.write_text(path.read_text() + f"\nrace: {{min_seeds: 3, max_seeds: 9, looks: 3{more}}}\n")
    return path


def test_a_plan_of_a_race_shows_all_looks(kdbench: Command, suite_file: Callable[..., Path]) -> None:
    code, out, err = kdbench("plan", raced(suite_file), "--race")
    assert (code, err) == (0, "")
    assert out.count("to do\n") == 36
    looks = [line.split() for line in out.splitlines()[-7:-4]]
    assert looks == [["1", "3", "12", "12", "0"], ["2", "5", "8", "20", "0"], ["3", "9", "16", "36", "0"]]
    assert out.splitlines()[-4:] == [
        "",
        "Budget: none; race.runs=COUNT or race.hours=HOURS sets one.",
        "Next is look 1: seeds 0 to 2 of 4 rows.",
        "12 of 12 runs to do; their duration can be estimated once a run of each student is recorded.",
    ]


def test_a_plan_of_many_runs_has_a_line_for_each_row(kdbench: Command, suite_file: Callable[..., Path]) -> None:
    path = suite_file(("seeds: [0, 1]", f"seeds: {list(range(11))}"))
    code, out, err = kdbench("plan", path)
    assert (code, err) == (0, "")
    assert out.count("11 to do\n") == 4
    assert out.splitlines()[-1].startswith("44 of 44 runs to do")
    code, out, _ = kdbench("plan", path, "--runs")
    assert (code, out.count("to do\n")) == (0, 44)


def test_seeds_given_with_race_are_refused(kdbench: Command, suite_file: Callable[..., Path]) -> None:
    for command in ("plan", "run"):
        code, out, err = kdbench(command, raced(suite_file), "seeds=[0, 1]", "--race")
        assert (code, out) == (2, "")
        assert "override 'seeds=[0, 1]': found with --race" in err


def test_a_plan_of_variants_names_them(kdbench: Command, suite_file: Callable[..., Path]) -> None:
    path = suite_file()
    assert "variant" not in kdbench("plan", path)[1]
    path.write_text(path.read_text() + "\nregimes: {calm: {}, wild: {train: {epochs: 5}}}\n")
    code, out, _ = kdbench("plan", path)
    assert code == 0
    assert "regime" in out.splitlines()[0]
    assert (out.count(" calm "), out.count(" wild ")) == (8, 8)


def test_a_plan_says_what_was_recorded_with_other_code(
    kdbench: Command, suite_file: Callable[..., Path], plugins: Plugins, record: Make, tmp_path: Path
) -> None:
    """As `kdbench run` does, for which these runs are recorded, too."""
    path = suite_file()
    specs = plan(load_suite(path, plugins))
    other = {f"student {specs[0].student.name}": Part(package="tests", code="0" * 64)}
    for spec in specs:
        write_record(tmp_path / "results", record(spec, parts=other if spec is specs[0] else {}))
    code, out, err = kdbench("plan", path)
    assert code == 0
    statuses = [line.split()[-2:] for line in out.splitlines()[2:10]]
    assert statuses[0] == ["ok,", "changed"]
    assert all(words[-1] == "ok" for words in statuses[1:])
    assert out.splitlines()[-1] == "All 8 runs are recorded, 1 of them with other code or files."
    assert "student pebble: the code of tests has changed" in err
    assert f"since 1 run ({specs[0].label}) was recorded; `kdbench run` with --redo executes it again" in err


def test_a_plan_says_which_students_have_been_trained_again(
    kdbench: Command, suite_file: Callable[..., Path], plugins: Plugins, record: Make, tmp_path: Path
) -> None:
    path = suite_file(
        ("recall_at: [1, 5]", "recall_at: [1, 5], also: [{use: shapes, name: far, colours: 4}]"),
        ("seeds: [0, 1]", "seeds: [0]"),
    )
    specs = plan(load_suite(path, plugins))
    trained = {spec.run_id: record(spec) for spec in specs if not spec.transfer}
    transfers = [spec for spec in specs if spec.transfer]
    for one in trained.values():
        write_record(tmp_path / "results", one)
    for spec in transfers:
        of = transfers[0] if spec is transfers[1] else spec
        digest = trained[of.training.run_id].digest_of_student
        write_record(tmp_path / "results", record(spec, student_digest=digest))
    code, out, _ = kdbench("plan", path)
    assert code == 0
    again = [line.split()[0] for line in out.splitlines() if line.endswith("ok, to do again")]
    assert again == [transfers[1].run_id]
    assert out.splitlines()[-1].startswith("1 of 8 runs to do, about 0 s")


def test_a_broken_plugin_is_left_out_of_the_schema_and_named(
    kdbench: Command, distribution: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended this and every other command: by `sys.exit`, a name that is taken, a parameter without a type."""
    monkeypatch.syspath_prepend(distribution("acmeexits", "import sys\nsys.exit(3)"))
    source = "@hookimpl\ndef kdbench_strategies():\n    return [Offer('equal', dict), Offer('odd', lambda *, x: x)]"
    monkeypatch.syspath_prepend(distribution("acmetwice", source))
    found = Plugins().load()
    monkeypatch.setattr("kdbench.plugins.loading.installed", lambda: found)
    code, out, err = kdbench("schema")
    assert code == 0
    assert {"strategy:equal"} <= set(json.loads(out)["$defs"])
    assert "strategy:odd" not in json.loads(out)["$defs"]
    assert "acmeexits:plugin is left out, wholly or in part: SystemExit: 3 (acmeexits_plugin.py, line 3)" in err
    assert "two plugins offer the strategy 'equal'" in err
    assert "odd: parameter 'x' of its builder has no type" in err


def test_schema(kdbench: Command) -> None:
    code, out, err = kdbench("schema")
    assert (code, err) == (0, "")
    schema = json.loads(out)
    Draft202012Validator.check_schema(schema)
    assert "strategy:ammkd" in schema["$defs"]


def test_suites_lists_each_with_one_line(typed: Command) -> None:
    code, out, err = typed("suites")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert code == 0
    assert lines.keys() == shipped.suites().keys()
    assert lines["quickstart"].endswith("minutes on a laptop.")
    assert max(map(len, out.splitlines())) <= 100
    assert str(ROOT / "suites") in err


def test_a_shipped_suite_by_its_name(typed: Command) -> None:
    code, out, _ = typed("plan", "quickstart")
    assert code == 0
    assert out.splitlines()[-1].startswith("5 of 5 runs to do")
    code, out, err = typed("plan", "quikstart")
    assert (code, out) == (2, "")
    assert err == "quikstart: no such file, and no such shipped suite; did you mean 'quickstart'?\n"


def test_resolved_is_a_suite_with_the_same_runs(typed: Command) -> None:
    code, out, err = typed("check", "emoji", "seeds=[7]", "--resolved")
    assert (code, "fine, 35 runs" in err) == (0, True)
    Path("resolved.yaml").write_text(out)
    assert "extends" not in out
    suites = (
        load_suite(ROOT / "suites/emoji.yaml", installed(), ["seeds=[7]"]),
        load_suite(Path("resolved.yaml"), installed()),
    )
    one, other = ([run.run_id for run in plan(suite)] for suite in suites)
    assert one == other
