"""The test split of a record: the one that its run saw, or a clear refusal."""

from __future__ import annotations

import numpy as np
import pytest

from kdbench import KdbenchError, Offer
from kdbench.contracts.task import Queries
from kdbench.deploy.gallery.opened import opened, read
from kdbench.records.reading import read_measured
from kdbench.storage.cache import Cache, FilledCache
from tests.support.gallery_runs import trained
from tests.support.toys import Beads, plugged, toy_plugins

T2I = Queries("image", "t2i", "caption", "rank")


def test_opened_and_read_show_the_same() -> None:
    runs = trained()
    record = runs.records["equal 0"]
    units = read_measured([runs.context.results], runs.context.plugins).units[str(record.dataset_digest)]
    whole, light = runs.shown, read(record, units, runs.context.plugins)
    assert light.query(T2I, 3).text == whole.query(T2I, 3).text
    assert list(light.right(T2I, 3)) == list(whole.right(T2I, 3))
    one, other = (shown.candidate(T2I, 2).picture for shown in (whole, light))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one(), other())


def test_a_dataset_that_has_changed_is_refused() -> None:
    runs = trained()
    record, plugins = runs.records["equal 0"], runs.context.plugins
    other = record.replace(spec=record.spec.replace(dataset=plugged("beads", seed=1)))
    with pytest.raises(KdbenchError, match=r"was evaluated on a dataset with the digest .* but 'beads' has"):
        opened(other, plugins, runs.context.cache)
    smaller = record.replace(spec=record.spec.replace(dataset=plugged("beads", test=9)))
    with pytest.raises(KdbenchError, match=r"found a test split of \{'images': 18"):
        read(smaller, None, plugins)
    units = read_measured([runs.context.results], plugins).units[str(record.dataset_digest)]
    shuffled = {name: values[::-1] for name, values in units.items()}
    with pytest.raises(KdbenchError, match="belong to other test units"):
        read(record, shuffled, plugins)


def test_a_dataset_whose_files_are_missing_is_told_of() -> None:
    def lost() -> Beads:
        raise FileNotFoundError("no folder")

    runs = trained()
    record = runs.records["equal 0"]
    plugins = toy_plugins(datasets=[Offer("lost", lost)])
    gone = record.replace(spec=record.spec.replace(dataset=plugged("lost")))
    with pytest.raises(KdbenchError, match="the dataset lost raised FileNotFoundError: no folder"):
        read(gone, None, plugins)


def test_nothing_is_decoded_by_a_cache_that_makes_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    runs = trained()
    folder = tmp_path_factory.mktemp("empty")
    with pytest.raises(KdbenchError, match="is not in the cache"):
        opened(runs.records["equal 0"], runs.context.plugins, FilledCache(folder, ["datasets"]))
    assert list(Cache(folder).entries()) == []
