"""A task's settings as options of `kdbench evaluate`."""

from __future__ import annotations

import pytest

from kdbench.cli.task_options import task_options
from kdbench.errors import KdbenchError
from kdbench.plugins.loading import Plugins
from tests.cli.conftest import Command


@pytest.mark.parametrize("given", [["--recall-at", "1,5"], ["--recall-at=1,5"], ["--recall-at", "[1, 5]"]])
def test_lists(given: list[str], plugins: Plugins) -> None:
    assert task_options(["colours=3", *given], "shapes", plugins) == (["colours=3"], {"recall_at": [1, 5]})


def test_a_single_value_of_a_list(plugins: Plugins) -> None:
    assert task_options(["--recall-at", "5"], "shapes", plugins) == ([], {"recall_at": [5]})


def test_an_unknown_option_names_the_nearest(plugins: Plugins) -> None:
    with pytest.raises(KdbenchError, match=r"--recal-at: no such option; .* did you mean '--recall-at'\?"):
        task_options(["--recal-at", "1"], "shapes", plugins)
    with pytest.raises(KdbenchError, match=r"--recall-at: found no value"):
        task_options(["--recall-at"], "shapes", plugins)


@pytest.mark.parametrize(
    ("value", "said"), [("1,5,100", "at most 10, the candidates"), ("0", "greater than or equal to 1"), ("-1", "equal to 1")]
)
def test_k_lies_between_1_and_the_gallery(value: str, said: str, kdbench: Command) -> None:
    """As in a suite, however it is given; nothing is encoded before."""
    for given in (["--recall-at", value], ["--set", f"recall_at=[{value}]"]):
        code, out, err = kdbench("evaluate", "{use: lens, focal: 35.0}", "-d", "shapes", *given)
        assert (code, out) == (2, "")
        assert "recall_at" in err
        assert said in err


def test_each_k_once(kdbench: Command) -> None:
    """Twice would count twice in the mean."""
    code, _, err = kdbench("evaluate", "{use: lens, focal: 35.0}", "-d", "shapes", "--recall-at", "1,1")
    assert code == 2
    assert "evaluate.recall_at[1]: found 1; expected each K once" in err
