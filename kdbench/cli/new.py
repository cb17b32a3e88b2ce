"""`kdbench new`: a suite, or a package with a plugin, to start from."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from kdbench.cli.common import HELP, SUITES, app, complain, plugins_here, say, show
from kdbench.cli.completion import names_of, preset_names
from kdbench.errors import counted

CHECKED = ("strategy", "objective", "dataset", "teacher", "student")  # kinds of which the conformance kit has properties
SCAFFOLDS = (*CHECKED, "exporter", "report", "engine", "attribution", "tracker")

new_app = typer.Typer(
    no_args_is_help=True, context_settings=HELP, help="Write a suite, or a package with a plugin, to start from."
)
app.add_typer(new_app, name="new", rich_help_panel=SUITES)

Folder = Annotated[Path, typer.Option("--in", help="Folder to write to.")]


@new_app.command("suite")
def new_suite(
    name: Annotated[str, typer.Argument(help="Name of the suite, of its file and of its folder under results/.")],
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="Name of a dataset.", autocompletion=names_of("dataset"))
    ] = None,
    student: Annotated[
        str | None, typer.Option(help="A preset or the name of a student.", autocompletion=preset_names("students"))
    ] = None,
    teachers: Annotated[
        str | None,
        typer.Option(help="A preset, or names of teachers such as a,b.", autocompletion=preset_names("teachers")),
    ] = None,
    strategies: Annotated[
        str | None, typer.Option(help="Names of strategies, such as equal,ammkd.", autocompletion=names_of("strategy"))
    ] = None,
    folder: Folder = Path("."),
) -> None:
    """Write a suite from options, asking for those that are missing; without a terminal their defaults are taken.

    `kdbench new suite mine --strategies equal,dwa`
    """
    from kdbench.errors import SuiteError
    from kdbench.suite.check import load_suite
    from kdbench.suite.new_suite import Choices, known, write_suite
    from kdbench.suite.plan import plan

    plugins, default = plugins_here(), Choices()
    of = _answer("Dataset", dataset, default.dataset, list(plugins.offers("dataset")))
    choices = Choices(
        dataset=of,
        student=_answer("Student", student, default.student, known("students", "student", of, plugins)),
        teachers=_several("Teachers", teachers, default.teachers, known("teachers", "teacher", of, plugins)),
        strategies=_several("Strategies", strategies, default.strategies, list(plugins.offers("strategy"))),
    )
    path = write_suite(name, choices, folder, plugins)
    show(path)
    try:
        runs = len(plan(load_suite(path, plugins)))
    except SuiteError as error:
        complain(f"{error}\n\nThe suite is written; change what is named above, then `kdbench check {path}`.")
        raise typer.Exit(1) from None
    say(f"\nNext: kdbench run {path}  ({counted(runs, 'run')})")


def _scaffold(kind: str) -> Callable[..., None]:
    def write(
        name: Annotated[str, typer.Argument(help="The name that suites will write after `use:`.")],
        folder: Folder = Path("."),
    ) -> None:
        from kdbench.plugins.scaffold import write_package

        for path in write_package(kind, name, folder):  # type: ignore[arg-type]  # checked there
            show(path)
        package = folder / f"kdbench-{name}"
        then = f"kdbench conform {name}" if kind in CHECKED else f"pytest {package}"
        say(f"\nNext: pip install -e '{package}[test]' && {then}")

    article = "an" if kind[0] in "aeiou" else "a"
    write.__doc__ = f"Write an installable package with {article} {kind} that works, and a test that passes."
    return write


for _kind in SCAFFOLDS:
    new_app.command(_kind)(_scaffold(_kind))


def _terminal() -> bool:
    return sys.stdin.isatty()


def _answer(question: str, given: str | None, default: str, choices: list[str]) -> str:
    if given is not None:
        return given
    if not _terminal():
        return default
    say(f"{question}: {', '.join(choices)}")
    answer: str = typer.prompt(question, default=default, err=True)
    return answer.strip()


def _several(question: str, given: str | None, default: tuple[str, ...], choices: list[str]) -> tuple[str, ...]:
    text = _answer(question, given, ",".join(default), choices)
    return tuple(part.strip() for part in text.split(",") if part.strip())
