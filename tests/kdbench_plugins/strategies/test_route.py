"""`route`: weights by patterns of ids and by a column, in a signal and in whole batches of a dataset."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from kdbench import Batch, KdbenchError, Signal, Skip, Student
from kdbench.contracts import FeedSettings
from kdbench.data.dataset import CachedDataset
from kdbench.errors import KdbenchWarning
from kdbench.storage.cache import Cache
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.embeddings import encode_split
from kdbench.tasks.retrieval.sample import sample
from kdbench.testing import Shapes
from kdbench.testing.retrieval.linear_student import LinearStudent
from kdbench_plugins.strategies.route import Route, check

IDS = ["photos/a.jpg", "drawings/b.png", "photos/c.png", "d.jpg", "photos/e.jpg"]


def seen(teachers: str = "xyz", ids: list[str] = IDS) -> Signal:
    rows = torch.tensor([4, 0, 1, 2, 3])

    class Seen:
        losses = torch.rand(len(teachers), 5)
        batch = Batch(rows, rows, rows, 0.0, ids=ids)

    signal: Any = Seen()
    signal.teachers = tuple(teachers)
    return cast(Signal, signal)


def columns(weights: Tensor) -> list[list[float]]:
    return [[round(value, 3) for value in column] for column in weights.T.tolist()]


X, Y, Z, ALL = [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.333] * 3


def test_the_longest_pattern_that_fits_an_id_counts() -> None:
    strategy = Route(routes={"photos/*.png": "z", "photos/*": "x", "drawings/*": "y"})
    assert columns(strategy.weigh(seen())) == [X, X, Y, Z, ALL]  # of e, a, b, c, d
    assert strategy.report() == {"routed": 0.8}


def test_a_route_to_a_teacher_that_is_not_in_the_team_is_none() -> None:
    strategy = Route(routes={"photos/*": "other", "*": "y"})
    assert columns(strategy.weigh(seen())) == [ALL, ALL, Y, ALL, Y]
    with pytest.raises(Skip, match=re.escape("no route leads to x, z; routes lead to other, y")):
        strategy.weigh(seen("xz"))


TABLES = {
    "t.csv": "image,source,note\nphotos/a.jpg,flickr,1\n./drawings/b.png,twemoji,2\nphotos/c.png,,3\nphotos/e.jpg,flickr,4\n",
    "t.jsonl": '{"image": "photos/a.jpg", "source": "flickr"}\n{"image": "drawings/b.png", "source": "twemoji"}\n'
    '{"image": "photos/c.png", "source": null}\n{"image": "photos/e.jpg", "source": "flickr"}\n',
}


@pytest.mark.parametrize("name", TABLES)
def test_a_column_routes_in_place_of_the_id(name: str, tmp_path: Path) -> None:
    """Images without a row or a value have no route, not even by `*`."""
    table = tmp_path / name
    table.write_text(TABLES[name], encoding="utf-8")
    strategy = Route(routes={"flickr": "x", "*": "z"}, table=table)
    assert columns(strategy.weigh(seen())) == [X, X, Z, ALL, ALL]


def data(ids: list[str]) -> Any:
    return SimpleNamespace(split=lambda name: SimpleNamespace(image_ids=ids if name == "train" else []))


def test_routes_of_which_none_leads_to_a_team_are_refused_before_a_run(tmp_path: Path) -> None:
    """By names, also where the data are others; by ids; by a column. What routes some images is told."""
    table = tmp_path / "t.csv"
    table.write_text(TABLES["t.csv"], encoding="utf-8")
    with pytest.raises(KdbenchError, match=r"routes: found clp; expected teachers of a team. did you mean 'clip'\?"):
        Route(routes={"*": "clp"}).check_teams([["clip", "lite0"]], None)
    with pytest.raises(KdbenchError, match=r"found 5 of 5 images .* to x, y; .* the id 'photos/a.jpg' fits none of photo/\*"):
        Route(routes={"photo/*": "x"}).check_teams([["x", "y"]], data(IDS))
    with pytest.raises(KdbenchError, match=r"found 5 of 5 .* the value 'flickr' of 'photos/a.jpg' fits none of flikr"):
        Route(routes={"flikr": "x"}, table=table).check_teams([["x", "y"]], data(IDS))
    with pytest.raises(KdbenchError, match=r"found 1 of 1 .* the id 'a.jpg' is not in the table, which has 'photos/a.jpg'"):
        Route(routes={"flickr": "x"}, table=table).check_teams([["x", "y"]], data(["a.jpg"]))
    with pytest.raises(KdbenchError, match=r"without ids of images; expected Split\.image_ids"):
        Route(routes={"*": "x"}).check_teams([["x", "y"]], data([]))
    told = r"2 of 5 images .* all teachers alike. the id 'drawings/b.png' is routed to z; z is in no team, known: x, y"
    with pytest.warns(KdbenchWarning, match=told):
        Route(routes={"photos/*": "x", "*": "z"}).check_teams([["x", "y"]], data(IDS))


def test_routes_for_several_teams_are_no_fault() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Route(routes={"photos/*": "x", "*": "z"}).check_teams([["x", "y"], ["y", "z"]], data(IDS))
        Route(routes={"photos/*": "x", "*": "other"}).check_teams([["x", "y"]], None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("picture,source\na,b\n", "has no column 'image'"),
        ("image,from\na,b\n", "has no column 'source'"),
        ("image,source\na,b\na,c\n", "row 2: source: found 'c' of a, in an earlier row 'b'"),
    ],
)
def test_tables_that_say_nothing_or_two_things_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(KdbenchError, match=re.escape(message)):
        check(routes={"*": "x"}, table=tmp_path / "t.csv", image="image", column="source")


def test_a_dataset_without_ids_is_refused() -> None:
    with pytest.raises(KdbenchError, match=r"without ids of images; expected Split\.image_ids"):
        Route(routes={"*": "x"}).weigh(seen(ids=[]))


def test_batches_know_the_ids_of_their_images(tmp_path: Path) -> None:
    """From the dataset through the feed, in a run and where a run is tried on a few samples."""
    dataset, student = Shapes(), cast(Student, LinearStudent())
    ids = dataset.split("train").image_ids
    cached = CachedDataset(dataset, Cache(tmp_path))
    for encoded in (encode_split(cached, student, "train"), sample(dataset, student, cast(Any, [object(), object()]))[0]):
        batch = Retrieval().feed(encoded, FeedSettings(4, 1, 0, "cpu", lambda total: slice(0, total))).batch(0)
        assert batch.image_ids == [ids[place] for place in batch.images.tolist()]
        assert len(set(batch.image_ids)) == 4
