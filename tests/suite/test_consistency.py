"""Datasets are held to their indices when a suite is checked; overrides and values end in a suite or in a message."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from kdbench import Dataset, Offer, Split, SplitName, hookimpl
from kdbench.errors import KdbenchError, KdbenchWarning
from kdbench.plugins.loading import Plugins
from kdbench.suite.check import load_suite
from tests.conftest import Shapes
from tests.support.fuzzing import some
from tests.support.suite_inputs import holds_for_overrides, overrides

SuiteFile = Callable[..., Path]


class NoFolder(Shapes):
    def __init__(self) -> None:
        Path("/not/there/labels.csv").read_text()


class NoSplit(Shapes):
    def split(self, name: SplitName) -> Split:
        raise IndexError(f"list index out of range: {name}")


class Leaking(Shapes):
    def split(self, name: SplitName) -> Split:
        return super().split("train" if name == "test" else name)


class Lonely(Shapes):
    def split(self, name: SplitName) -> Split:
        split = super().split(name)
        return replace(split, image_concepts=np.append(split.image_concepts[:-1], 999)) if name == "train" else split


class Nameless(Shapes):
    licence = ""


class Noted(Shapes):
    notes = ("3 members of shards were left aside, such as 7.preview.jpg",)


class Around(Shapes):
    def __init__(self, *, root: Path) -> None:
        super().__init__()
        self.root = root


class Old:
    """A plugin of datasets that are wrong."""

    @hookimpl
    def kdbench_datasets(self) -> list[Offer[Dataset]]:
        return [Offer(one.__name__.lower(), one) for one in (NoFolder, NoSplit, Leaking, Lonely, Nameless, Noted, Around)]


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (
            "nofolder",
            "the dataset nofolder raised FileNotFoundError: [Errno 2] No such file or directory: '/not/there/labels.csv'",
        ),
        ("nosplit", "the dataset nosplit raised IndexError: list index out of range: train (test_consistency.py, line "),
        ("leaking", "leaking: test split, images 0, 1, 2 and 37 more: found 40 concepts of the train split; expected concepts"),
        ("lonely", "lonely: train split, image 39: found no caption; expected at least one caption of each image's concept"),
        ("nameless", "nameless: licence: found ''; expected a string that is not empty"),
    ],
)
def test_a_dataset_that_cannot_be_used_is_refused(use: str, said: str, suite_file: SuiteFile, plugins: Plugins) -> None:
    """With its line in the suite, before anything is encoded or trained, whatever its plugin raises."""
    plugins.register(Old(), "tests:old")
    path = suite_file(("use: shapes", f"use: {use}"))
    with pytest.raises(KdbenchError) as raised:
        load_suite(path, plugins)
    assert str(raised.value).startswith(f"{path}:4: datasets[0]\n  {said}")


def test_what_a_reader_left_aside_is_told_by_a_deep_check(suite_file: SuiteFile, plugins: Plugins) -> None:
    plugins.register(Old(), "tests:old")
    path = suite_file(("use: shapes", "use: noted"))
    with pytest.warns(KdbenchWarning, match="noted: 3 members of shards were left aside, such as 7.preview.jpg"):
        load_suite(path, plugins, deep=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_suite(path, plugins)  # not by every command


@pytest.mark.parametrize("root", ["..", "./"])
def test_a_folder_whose_contents_no_record_holds_is_told_by_a_deep_check(
    root: str, suite_file: SuiteFile, plugins: Plugins
) -> None:
    plugins.register(Old(), "tests:old")
    path = suite_file(("- use: shapes", f"- {{use: around, root: {root}}}"))
    with pytest.warns(KdbenchWarning, match=r"around\.root: \.+ lies around the working folder or is it; .*`Offer\.reads`"):
        load_suite(path, plugins, deep=True)


def test_any_override_gives_a_suite_or_a_message(suite_file: SuiteFile, plugins: Plugins) -> None:
    path = suite_file()

    @some
    @given(overrides)
    def check(given: list[str]) -> None:
        holds_for_overrides(path, plugins, given)

    check()


@pytest.mark.parametrize("seed", [0, 2**31, 2**32 - 1, 2**53 + 1, 2**63 - 1])
def test_seeds_of_63_bits(seed: int, suite_file: SuiteFile, plugins: Plugins) -> None:
    assert load_suite(suite_file(("seeds: [0, 1]", f"seeds: [{seed}]")), plugins).seeds == [seed]


@pytest.mark.parametrize("seed", [2**63, 2**64, 10**30, -1])
def test_other_seeds_are_refused_with_their_line(seed: int, suite_file: SuiteFile, plugins: Plugins) -> None:
    path = suite_file(("seeds: [0, 1]", f"seeds: [{seed}]"))
    with pytest.raises(KdbenchError) as raised:
        load_suite(path, plugins)
    assert str(raised.value).startswith(f"{path}:2: ")


class Streamed(Shapes):
    streamed = True


class Grouped(Shapes):
    """Concepts of four groups."""

    def split(self, name: SplitName) -> Split:
        split = super().split(name)
        return replace(split, concept_groups={concept: f"group {concept % 4}" for concept in split.image_concepts.tolist()})


class Folding:
    @hookimpl
    def kdbench_datasets(self) -> list[Offer[Dataset]]:
        return [Offer("streamed", Streamed), Offer("grouped", Grouped), Offer("tests_alone", Shapes, task="zero_shot")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            [("batch_size: 8", "batch_size: 45")],
            "train.batch_size found 45 expected at most 37, the images in fold 1/5 of shapes's",
        ),
        (
            [("[1, 5]", "[1, 13]")],
            "evaluate.recall_at[1] found 13 expected at most 12, the candidates in fold 1/5 of shapes's",
        ),
        (
            [("[1, 5]", "[1, 5], also: [grouped]")],
            "folds found 5 expected none beside `evaluate.also`: there, the students",
        ),
        (
            [("seeds: [0, 1]", "seeds: [0, 1]\nsweep: {space: {train.lr: [1.0e-3, 1.0e-2]}, trials: 2}")],
            "folds found 5 expected none beside `sweep:`",
        ),
        ([("use: shapes", "use: streamed")], "datasets[0] folds: found a streamed dataset, whose images are not stored"),
        ([("use: shapes", "use: grouped")], "datasets[0] folds: found 5; expected at most 4, the groups of concepts"),
    ],
    ids=["batch", "candidates", "also", "sweep", "streamed", "groups"],
)
def test_folds_that_a_suite_cannot_have(
    changes: list[tuple[str, str]], said: str, suite_file: SuiteFile, plugins: Plugins
) -> None:
    plugins.register(Folding(), "tests:folding")
    path = suite_file(*changes, ("name: tiny", "name: tiny\nfolds: 5"))
    with pytest.raises(KdbenchError) as raised:
        load_suite(path, plugins)
    assert said in " ".join(str(raised.value).split())


def test_a_suite_that_is_cross_validated_may_have_splits_of_another_size(suite_file: SuiteFile, plugins: Plugins) -> None:
    """Its own test split has 10 images, that of each fold 12 or more."""
    path = suite_file(("name: tiny", "name: tiny\nfolds: 5"), ("[1, 5]", "[1, 12]"))
    assert load_suite(path, plugins).folds == 5
    with pytest.raises(KdbenchError, match="expected  at most 10, the candidates in shapes's test split"):
        load_suite(suite_file(("[1, 5]", "[1, 12]")), plugins)


def test_a_race_from_one_seed_needs_folds(suite_file: SuiteFile, plugins: Plugins) -> None:
    race = "name: tiny\nrace: {min_seeds: 1, max_seeds: 3}"
    assert load_suite(suite_file(("name: tiny", f"{race}\nfolds: 3")), plugins).race
    with pytest.raises(KdbenchError, match=r"race.min_seeds\n  found     1\n  expected  2 or more without `folds:`"):
        load_suite(suite_file(("name: tiny", race)), plugins)


@pytest.mark.parametrize("folds", ["2", "0", "1.5", "[5]"])
def test_other_numbers_of_folds_are_refused_with_their_line(folds: str, suite_file: SuiteFile, plugins: Plugins) -> None:
    path = suite_file(("name: tiny", f"name: tiny\nfolds: {folds}"))
    with pytest.raises(KdbenchError) as raised:
        load_suite(path, plugins)
    assert str(raised.value).startswith(f"{path}:2: folds")
