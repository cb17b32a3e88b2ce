"""The card says in Hugging Face's format what the record says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from kdbench.contracts.exporter import Exported, ExportedModel
from kdbench.deploy.export.card import write_card
from kdbench.records.record import Record
from kdbench_plugins.exporters.open_clip import CARD
from tests.support.export_runs import Trained, small


@pytest.fixture(scope="module")
def trained() -> Trained:
    return small()


def written(trained: Trained, record: Record, folder: Path, difference: float | None) -> Any:
    exported = Exported([ExportedModel(trained.student, None, difference)], CARD)
    write_card(record, folder, exported, trained.task, trained.context.plugins.find("task", "retrieval").offer)
    return ModelCard.load(folder / "README.md")


@pytest.fixture(scope="module")
def card(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return written(trained, trained.record, tmp_path_factory.mktemp("card"), 2.5e-7)


def test_the_results_are_those_of_the_record(trained: Trained, card: Any) -> None:
    results = card.data.eval_results
    assert {result.metric_type: result.metric_value for result in results} == pytest.approx(trained.record.metrics, abs=1e-6)
    assert {(r.task_type, r.dataset_type, r.dataset_name, r.dataset_split) for r in results} == {
        ("image-text-retrieval", "beads", "beads", "test")
    }
    names = {result.metric_type: result.metric_name for result in results}
    assert names["image_retrieval_recall@5"] == "t2i R@5"
    assert names["text_retrieval_recall@1"] == "i2t R@1"


def test_the_front_matter(trained: Trained, card: Any) -> None:
    data = card.data.to_dict()
    assert (data["license"], data["license_name"]) == ("other", "cc0")
    assert (data["library_name"], data["pipeline_tag"]) == ("open_clip", "zero-shot-image-classification")
    assert data["model-index"][0]["name"] == f"small-{trained.record.run_id}"


def test_the_text(trained: Trained, card: Any) -> None:
    record = trained.record
    text = card.text
    shares = record.metrics["image_retrieval_recall@5"], record.metrics["rsum"]
    for expected in (
        f"| t2i R@5 | {100 * shares[0]:.2f} | % |",
        f"| RSUM | {shares[1]:.2f} | points |",
        "R@K: fraction of queries with a match among the K best candidates",
        "open_clip.create_model_from_pretrained(folder)",
        "by distillation from 2 teachers",
        "48 images, 72 captions, 24 concepts",
        "| teacher | `b`: `sage` with `{",
        "| strategy | `equal`",
        "| objective | 0.5 × `feature`",
        f"Run `{record.run_id}` of the suite `toys`",
        f"torch {record.versions['torch']}",
        f"Dataset digest `{record.dataset_digest}`; licence of the data: CC0",
        "at most 2.5e-07",
    ):
        assert expected in text
    assert "Reconstructions of methods" not in text
    assert "{{" not in text
    assert "{%" not in text


def test_a_run_without_teachers(trained: Trained, tmp_path: Path) -> None:
    alone = trained.record.spec.replace(team=(), strategy=None, objective=())
    record = trained.record.replace(spec=alone, reconstructions=["x"], licence=None, commit="c" * 40, dirty=True)
    card = written(trained, record, tmp_path, None)
    for expected in ("on the dataset `beads`.", "| teacher | none |", "| strategy | none |", "the task's loss alone"):
        assert expected in card.text
    assert f"commit `{'c' * 40}` with changes" in card.text
    assert "leave something open: x." in card.text
    assert card.data.to_dict()["license_name"] == "unknown"
    assert "outputs computed this way differ" not in card.text  # nothing was compared


def test_figures_of_the_written_model_that_differ_from_the_record_are_told(trained: Trained, tmp_path: Path) -> None:
    exported = Exported([ExportedModel(trained.student, None, 0.0)], CARD)
    offer = trained.context.plugins.find("task", "retrieval").offer
    measured = trained.record.metrics | {"rsum": 123.456}
    write_card(trained.record, tmp_path, exported, trained.task, offer, measured)
    text = (tmp_path / "README.md").read_text()
    assert f"| RSUM | {trained.record.metrics['rsum']:.2f} | points |" in text
    assert "the model reaches RSUM 123.46." in text


def test_a_smoke_run_says_so(trained: Trained, card: Any, tmp_path: Path) -> None:
    written(trained, trained.record.replace(spec=trained.record.spec.replace(smoke=True)), tmp_path, 0.0)
    assert "Of a smoke run" in (tmp_path / "README.md").read_text()
    assert "smoke run" not in card.text
