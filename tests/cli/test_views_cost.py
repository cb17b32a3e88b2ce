"""What views will cost, by dataset, teacher and number of views."""

from __future__ import annotations

from typing import Any

from kdbench import ImageCost, Offer
from kdbench.cli.views_cost import costs_of_views
from kdbench.suite.spec import Fold, TaskDataset
from tests.support.toys import Sage, plugged, run_spec, sage, toy_plugins


class Priced(Sage):
    """A teacher that knows what a picture costs."""

    def image_cost(self) -> ImageCost:
        return ImageCost(width=500_000, flops=10**14)


class Silent(Priced):
    lacks = "image"


def lines(*specs: Any) -> list[str]:
    return costs_of_views(specs, toy_plugins(teachers=[Offer("priced", Priced), Offer("silent", Silent)]))


def test_bytes_and_hours_of_a_teacher_that_knows_its_cost() -> None:
    spec = run_spec((plugged("priced"), sage("b")), train={"views": {"count": 450}})
    known, unknown = lines(spec, spec.replace(seed=1))
    assert known == (  # 32 train images: 14,400 views of a megabyte and a hundred tera-operations
        "450 views of 32 images of beads by priced: 14.4 GB on disk, mapped into memory; 4.0 hours of a GPU at 100 TFLOP/s, "
        "or 8,000.0 hours of a core at 50 GFLOP/s"
    )
    assert unknown == "450 views of 32 images of beads by b: 450 × the time and space of the images themselves"


def test_each_number_of_views_is_encoded_by_itself() -> None:
    specs = [run_spec((plugged("priced"),), train={"views": {"count": count}}) for count in (1, 2)]
    one, two = lines(*specs)
    assert one.startswith("1 view of 32 images of")
    assert two.startswith("2 views of 32 images of")
    assert "32.0 MB" in one
    assert "64.0 MB" in two
    assert "32 seconds of a GPU" in one


def test_captions_that_lose_words_have_views_as_well() -> None:
    (line,) = lines(run_spec((plugged("priced"),), train={"views": {"count": 450, "drop_words": 0.1}}))
    assert line == (  # beside the images 48 captions: 36,000 views of a megabyte
        "450 views of 32 images and 48 captions of beads by priced: 36.0 GB on disk, mapped into memory; 4.0 hours, for the "
        "images, of a GPU at 100 TFLOP/s, or 8,000.0 hours of a core at 50 GFLOP/s"
    )


def test_what_encodes_nothing() -> None:
    assert lines(run_spec(("a",))) == []
    assert lines(run_spec((), train={"views": {}})) == []
    assert lines(run_spec(("a",), train={"views": {"teachers": "clean"}})) == []
    trained = run_spec(("a",), train={"views": {}})
    elsewhere = trained.replace(trained_on=TaskDataset(task=trained.task, dataset=plugged("beads", "others", seed=1)))
    assert len(lines(trained, elsewhere)) == 1
    (line,) = lines(run_spec((plugged("silent"),), train={"views": {}}))
    assert line.endswith("by silent: none, it has no image tower")


def test_folds_share_the_views_of_all_splits() -> None:
    runs = [run_spec((plugged("priced"),), fold=Fold(index=index, of=3), train={"views": {"count": 2}}) for index in range(3)]
    (line,) = lines(*runs)
    assert line.startswith("2 views of 76 images of beads by priced: 152.0 MB")
