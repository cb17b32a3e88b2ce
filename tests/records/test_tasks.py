"""The task that a record names, as it is installed here."""

from __future__ import annotations

import pytest

from kdbench.errors import RecordError
from kdbench.plugins.loading import Plugins, installed
from kdbench.records.tasks import task_of
from tests.support.toys import retrieval_spec, toy_plugins


def test_it_is_built_once_for_its_parameters() -> None:
    plugins = toy_plugins()
    one = task_of(retrieval_spec(1, 5), plugins)
    assert task_of(retrieval_spec(1, 5), plugins) is one
    assert task_of(retrieval_spec(1, 5).replace(name="another label"), plugins) is one
    other = task_of(retrieval_spec(1, 10), plugins)
    assert [metric.name for metric in other.metrics] != [metric.name for metric in one.metrics]
    assert task_of(retrieval_spec(1, 5), toy_plugins()) is not one
    assert task_of(retrieval_spec(1, 5)) is task_of(retrieval_spec(1, 5), installed())


def test_one_that_is_not_installed_is_named() -> None:
    with pytest.raises(
        RecordError, match="the task 'retrieval' cannot be built from its record: no task is called 'retrieval'"
    ):
        task_of(retrieval_spec(), Plugins())


@pytest.mark.parametrize("params", [{"recall_at": []}, {"recall_at": "1"}, {"seed": 1}])
def test_parameters_that_do_not_fit_are_told(params: dict[str, object]) -> None:
    with pytest.raises(RecordError, match="the task 'retrieval' cannot be built from its record: 1 validation error"):
        task_of(retrieval_spec().replace(params=params), toy_plugins())
