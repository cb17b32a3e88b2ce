"""Students evaluated on the same images with the captions of another column."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from kdbench import Offer
from kdbench.records.reading import read_measured
from kdbench.records.verify import verify
from kdbench.reports import build
from kdbench.runs.context import RunContext
from kdbench.runs.once import execute_once
from kdbench.storage.cache import Cache
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.tasks.retrieval.embeddings import encode_split
from kdbench.testing.retrieval.linear_student import LinearStudent
from kdbench_plugins.datasets import folder as folders
from kdbench_plugins.datasets.folder import Folder
from tests.runs.test_trained_elsewhere import student_of
from tests.support.karpathy_forms import picture
from tests.support.toys import cached, rank_split, toy_plugins

SUITE = """\
name: languages
datasets: [{use: folder, table: TABLE, size: 32}]
students: [linear]
train: {epochs: 1, batch_size: 4, precision: fp32}
evaluate:
  recall_at: [1, 3, 5]
  also: [{use: folder, name: german, table: TABLE, caption: caption_de, size: 32}]
"""


def written(root: Path) -> Path:
    """A table with a caption an image in English and two in German."""
    (root / "pictures").mkdir()
    path = root / "t.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "caption", "caption_de", "split"])
        for place in range(16):
            Image.fromarray(picture(place)).save(root / "pictures" / f"{place}.png")
            words = chr(97 + place) * (place + 1)
            split = "train" if place < 4 else "validation" if place < 9 else "test"
            writer.writerow([f"pictures/{place}.png", f"the {words}", f'["das {words}", "ein {words[1:]}"]', split])
    return path


def where(folder: Path) -> RunContext:
    plugins = toy_plugins(students=[Offer("linear", LinearStudent)])
    plugins.register(folders, "kdbench:folder")
    return RunContext(plugins, Cache(folder / "cache"), folder / "results")


def test_another_caption_column_is_another_test_split_of_the_same_images(tmp_path: Path) -> None:
    table, context = written(tmp_path), where(tmp_path)
    suite = tmp_path / "languages.yaml"
    suite.write_text(SUITE.replace("TABLE", str(table)))
    english, german = (execute_once(spec, context) for spec in plan(load_suite(suite, context.plugins)))
    assert (english.status, german.status, german.reason) == ("ok", "ok", "")
    assert (english.sizes["captions"], german.sizes["captions"]) == (7, 14)
    assert german.dataset_digest != english.dataset_digest
    one, other = (Folder(table=table, size=32, caption=column) for column in ("caption", "caption_de"))
    assert np.array_equal(np.stack([*one.split("test").images]), np.stack([*other.split("test").images]))
    student = student_of(english, context)
    for record, dataset in ((english, one), (german, other)):
        opened = cached(tmp_path / record.spec.dataset.name, dataset)
        expected = rank_split(student, encode_split(opened, student, "test"))
        assert record.metrics == expected.metrics([1, 3, 5])
    assert english.metrics != german.metrics
    assert verify([context.results], context.plugins)[1] == []
    board = build(read_measured([context.results], plugins=context.plugins).runs)
    assert [table.title.partition(" ·")[0] for table in board.tables] == ["folder test", "german test"]
