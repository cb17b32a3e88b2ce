"""Commands with values from right ones to anything, and what holds for each."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from tests.support.yaml_inputs import tagged

VALUES = [
    "",
    "-",
    "--",
    "0",
    "-1",
    "1e400",
    "nan",
    "9" * 30,
    "{",
    "[",
    "{}",
    "{use: 3}",
    "{use: [a]}",
    "{use: equal, x: !!set {a}}",
]
VALUES += ["equal", "toy", "results", "results/toys", "nowhere", ".", "~", "cpu", "cuda:99", "cuda:x", "mps", "null", "a=b"]
VALUES += [
    "x" * 300,
    "é😀",
    "a\tb",
    "a\nb",
    "\udcff",
    "[bold]",
    "%s",
    "{0}",
    "$HOME",
    "*",
    "a/b",
    "a\\b",
    "retrieval",
    "shapes",
]
# `{}` is where a value goes. None of them trains or downloads anything, whatever the value.
COMMANDS = """\
check suite.yaml {}
check {}
plan suite.yaml {}
plan {}
plan suite.yaml --results {}
plugins {}
suites {}
leaderboard {}
leaderboard results --format {}
leaderboard results --report {}
compare {} {} results
compare equal ammkd {}
power {} results
power 1 results --between {} {}
inspect {}
inspect {} --results results
export {} --to {} --results results
submit {} --out out.zip
submit results --out out.zip --by {}
verify {}
verify results --rerun {}
new suite {}
new strategy {}
new suite a --dataset {}
new suite b --student {}
new suite c --teachers {}
cache list --cache {}
cache clear --yes --of {}
info --quick --results {}
attribute suite.yaml --strategy {} --results results
attribute suite.yaml --teachers {}
attribute suite.yaml --method {}
data check {}
data check shapes {}
evaluate {} -d {}
evaluate x -d shapes --split {}
evaluate x -d shapes --set {}
evaluate x -d shapes --recall-at {}
evaluate x -d shapes --device {}
conform {} --kind {}
sweep suite.yaml --status {}
run suite.yaml train.epochs=x --engine {}
run suite.yaml train.epochs=x --device {}
run suite.yaml train.epochs=x --jobs {}
""".splitlines()

texts = st.one_of(st.sampled_from(VALUES), tagged, st.text(max_size=8))
values = texts.filter(lambda text: "\0" not in text and not text.startswith(("/", "..")))
commands = st.tuples(st.sampled_from(COMMANDS), values, values)


def typed_words(command: str, first: str, second: str) -> list[str]:
    """The arguments of a command with its values in place."""
    waiting = iter((first, second))
    return [next(waiting) if word == "{}" else word for word in command.split()]


def holds_for_command(typed: Callable[..., tuple[int, str, str]], arguments: list[str]) -> None:
    """It ends with an exit code that the help names; anything else would be a traceback. What is wrong is said."""
    code, _, err = typed(*arguments)
    assert code in (0, 1, 2)
    assert code == 0 or err or code == 1
    assert "Traceback" not in err
