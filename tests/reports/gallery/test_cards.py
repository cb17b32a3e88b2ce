"""Cards of queries."""

from __future__ import annotations

from kdbench.reports.gallery.cards import card
from tests.support.galleries import T2I, ByHand, model

RANKS = [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_card_has_what_is_right_and_what_is_on_top() -> None:
    shown = ByHand()
    made = card(shown, T2I, 2, [model("A", RANKS).answer(shown, T2I, 2)])
    assert made.title == "t2i caption 2"
    assert made.query is not None
    assert made.query.text == "text 2"
    assert [item.name for item in made.right] == ["2.png"]
    (answer,) = made.answers
    assert (answer.model, answer.figure) == ("A", "retrieval rank 3")
    assert [(one.item.name, one.right) for one in answer.top] == [
        ("text 0.png", False),
        ("1.png", False),
        ("2.png", True),
        ("3.png", False),
        ("4.png", False),
    ]


def test_a_model_without_weights_and_a_split_without_texts() -> None:
    shown = ByHand()
    answer = model("A", RANKS, kept=False).answer(shown, T2I, 7)
    assert (answer.figure, answer.top) == ("retrieval rank 8", ())
    bare = card(None, T2I, 7, [model("A", RANKS).answer(None, T2I, 7)])
    assert (bare.title, bare.query, bare.right) == ("t2i caption 7", None, ())
    assert bare.answers[0].top == ()


def test_many_right_candidates_are_counted() -> None:
    class Many(ByHand):
        def right(self, of: object, index: int) -> list[int]:  # noqa: ARG002
            return list(range(8))

    made = card(Many(), T2I, 0, [])
    assert (len(made.right), made.more) == (5, 3)
