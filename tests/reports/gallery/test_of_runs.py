"""Which queries stand on the page of runs."""

from __future__ import annotations

from kdbench.reports.gallery.of_runs import runs_page
from kdbench.reports.gallery.page import Page
from tests.support.galleries import COUNT, I2T, T2I, ByHand, model

STUDENT = model("student", [1, 8, 2, 3, 1, 7, 4, 1])
TEACHERS = [model("x (teacher)", [1, 1, 8, 3, 1, 6, 4, 5]), model("y (teacher)", [8, 1, 8, 3, 1, 7, 4, 2])]


def titles(page: Page, label: str = "Caption queries (t2i)") -> dict[str, list[int]]:
    """Sections of one direction, and the numbers of their queries."""
    return {
        section.title.removeprefix(f"{label}: "): [int(card.title.split()[-1]) for card in section.cards]
        for section in page.sections
        if section.title.startswith(label)
    }


def test_worst_failures_and_what_teachers_know_better() -> None:
    page = runs_page("one", [T2I, I2T], ByHand(), [STUDENT], TEACHERS, most=2, lead="RSUM 1")
    found = titles(page)
    assert found["worst failures"] == [1, 5]
    assert found["teachers know better"] == [1, 5]  # 8 to 1, then 7 to 6
    assert found["better than its teachers"] == [2, 7]  # 2 to 8, then 1 to 2
    assert found == titles(page, "Image queries (i2t)")
    assert len(found["drawn at random"]) == 2
    assert [answer.model for answer in page.sections[0].cards[0].answers] == ["student", "x (teacher)", "y (teacher)"]


def test_queries_drawn_at_random_are_always_the_same() -> None:
    one, other = (titles(runs_page("one", [T2I], ByHand(), [run], most=3, lead="")) for run in (STUDENT, TEACHERS[0]))
    assert one["drawn at random"] == other["drawn at random"]
    everything = titles(runs_page("one", [T2I], ByHand(), [STUDENT], most=99, lead=""))
    assert everything["drawn at random"] == list(range(COUNT))
    assert list(everything) == ["drawn at random", "worst failures"]


def test_several_runs_stand_side_by_side() -> None:
    found = titles(runs_page("two", [T2I], ByHand(), [STUDENT, TEACHERS[0]], most=2, lead=""))
    assert found["where runs differ most"] == [1, 7]
    alike = titles(runs_page("two", [T2I], ByHand(), [STUDENT, STUDENT], most=2, lead=""))
    assert "where runs differ most" not in alike
