"""What makes runs comparable, and what does not matter to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kdbench.records.protocol import Protocol
from kdbench.records.record import Record
from kdbench.suite.spec import Fold, RunSpec, TaskDataset, Tuning

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]
TUNED = Tuning(split="validation", trials=3, metric="rsum")


def of(record: Record, **changes: Any) -> Protocol:
    return Protocol.of(record.replace(**changes))


def test_teachers_strategy_objective_learning_rate_and_seed_do_not_matter(spec: Spec, record: Make) -> None:
    """They are what is compared; the budget of samples is not."""
    one = spec()
    others = [
        one.replace(seed=1),
        one.replace(team=one.team[:1], strategy=None),
        one.replace(team=(), strategy=None, objective=()),
        one.replace(variant="hot"),
        one.replace(suite="another"),
        one.replace(train=one.train.model_copy(update={"lr": 0.5, "checkpoint_every": 1})),  # type: ignore[union-attr]
    ]
    assert {Protocol.of(record(other)).id for other in others} == {Protocol.of(record(one)).id}


def test_everything_else_does(spec: Spec, record: Make) -> None:
    one = spec()
    train = one.train
    assert train is not None
    found = [
        Protocol.of(record(one)),
        of(record(one), dataset_digest="e" * 64),
        of(record(one), steps=11),
        of(record(one.replace(dataset=one.dataset.replace(name="others"))), dataset_digest=""),  # its label alone
        Protocol.of(record(one.replace(task=one.task.replace(params={"recall_at": [1, 5, 10]})))),
        Protocol.of(record(one.replace(student=one.student.replace(params={"width": 9})))),
        Protocol.of(record(one.replace(student=one.student.replace(name="stone")))),
        Protocol.of(record(one.replace(train=train.model_copy(update={"epochs": 3})))),
        Protocol.of(record(one.replace(train=train.model_copy(update={"batch_size": 4})))),
        Protocol.of(record(one.replace(tuning=TUNED))),
        Protocol.of(record(one.replace(tuning=TUNED.replace(trials=4)))),
        Protocol.of(record(one.replace(smoke=True))),
    ]
    assert len({protocol.id for protocol in found}) == len(found)
    same_evaluation = [one.id for one in found if one.evaluation == found[0].evaluation]
    assert len(same_evaluation) == 8  # all but another dataset by content or name, task, and smoke


def test_a_parameter_at_its_default_does_not_matter(spec: Spec, record: Make) -> None:
    one = spec()
    bare = one.student.replace(params={"shade": "grey"})
    assert Protocol.of(record(one.replace(student=bare))).id == Protocol.of(record(one)).id


def test_a_reference_shares_the_evaluation_of_the_rows_beside_it(spec: Spec, record: Make) -> None:
    one = spec()
    teacher = Protocol.of(
        record(one.replace(role="reference", student=one.team[0], team=(), strategy=None, objective=(), train=None))
    )
    assert (teacher.student, teacher.budget.steps, str(teacher.budget)) == (None, 0, "no training")
    assert teacher.evaluation == Protocol.of(record(one)).evaluation
    assert teacher.id != Protocol.of(record(one)).id
    assert teacher.parts["student"] == "teachers themselves"


def test_parts_say_in_words_what_differs(spec: Spec, record: Make) -> None:
    parts = Protocol.of(record(spec(tuning=TUNED))).parts
    assert parts == {
        "dataset": "shapes (digest dddddddd)",
        "task": "retrieval (recall_at [1, 5])",
        "student": "pebble",
        "student initialisation": '{"name": "pebble", "params": {}, "use": "pebble"}',
        "sample budget": "2 epochs, 10 steps of 8 samples",
        "tuning budget": "3 trials on validation",
    }


@pytest.mark.parametrize("tuning", [None, TUNED])
def test_it_goes_through_json(tuning: Tuning | None, spec: Spec, record: Make) -> None:
    protocol = Protocol.of(record(spec(tuning=tuning)))
    assert Protocol.model_validate_json(protocol.model_dump_json()).id == protocol.id


def test_students_trained_elsewhere_do_not_compare_with_others(spec: Spec, record: Make) -> None:
    """They are evaluated alike, so a teacher itself is shown beside both."""
    one = spec()
    far, farther = (
        one.replace(trained_on=TaskDataset(task=one.task, dataset=one.dataset.replace(name=name)))
        for name in ("far", "farther")
    )
    protocols = [Protocol.of(record(run)) for run in (one, far, farther)]
    assert len({protocol.id for protocol in protocols}) == 3
    assert len({protocol.evaluation for protocol in protocols}) == 1
    assert protocols[1].parts["dataset"] == "shapes (digest dddddddd), trained on far"


def test_folds_of_a_dataset_have_one_protocol_whatever_their_steps(spec: Spec, record: Make) -> None:
    plain = spec()
    runs = [record(plain.replace(fold=Fold(index=index, of=5), seed=index)) for index in range(5)]
    folds = [of(one, steps=10 + place) for place, one in enumerate(runs)]
    assert len({one.id for one in folds}) == len({one.evaluation for one in folds}) == 1
    own, other = Protocol.of(record(plain)), Protocol.of(record(plain.replace(fold=Fold(index=0, of=4))))
    assert len({own.id, folds[0].id, other.id}) == len({own.evaluation, folds[0].evaluation, other.evaluation}) == 3
    assert (own.split, folds[0].split) == ("test", "5 folds")
    assert folds[0].parts["dataset"] == own.parts["dataset"] + ", 5 folds"
    assert ", steps of " in folds[0].parts["sample budget"]
