"""The model card of an exported student: README.md with the front matter that Hugging Face reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from kdbench.contracts import Metric, Offer, Task
from kdbench.contracts.exporter import Exported, ModelCard
from kdbench.deploy.export.metadata import exported_with
from kdbench.records.record import Record
from kdbench.storage.atomic import write_text

CARD = "README.md"


def write_card(
    record: Record,
    folder: Path,
    exported: Exported,
    task: Task,
    offer: Offer[Task],
    measured: Mapping[str, float] | None = None,
) -> None:
    """Writes a description of the student of `record`, its training and its metrics; `offer` is its task's.

    `measured` are the metrics of the written model; the card says which of them differ from the record's.
    """
    assert exported.card is not None
    name = f"{record.spec.student.name}-{record.run_id}"
    environment = Environment(
        loader=PackageLoader("kdbench.deploy.export", "."), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    difference = exported.models[0].difference
    body = environment.get_template("card.md.jinja").render(
        name=name,
        record=record,
        spec=record.spec,
        settings=record.spec.train.model_dump(mode="json") if record.spec.train else {},
        task=offer,
        usage=exported.card.usage,
        sizes=", ".join(f"{count} {what}" for what, count in record.sizes.items()),
        metrics=[(metric.label, shown(metric, record.metrics[metric.name]), metric.unit) for metric in _metrics(record, task)],
        others=[
            (metric.label, shown(metric, measured[metric.name]))
            for metric in _metrics(record, task)
            if measured and shown(metric, measured[metric.name]) != shown(metric, record.metrics[metric.name])
        ],
        difference=None if difference is None else f"{difference:.1e}",
        written_with=exported_with(exported),
    )
    write_text(folder / CARD, f"---\n{front_matter(record, name, exported.card, task).to_yaml()}\n---\n\n{body}")


def front_matter(record: Record, name: str, card: ModelCard, task: Task) -> ModelCardData:
    """Licence, pipeline tag, and a `model-index` with the raw metrics of the test split."""
    dataset = record.spec.dataset
    return ModelCardData(
        license="other",  # the weights have no licence of their own; that of the data is named
        license_name=_slug(record.licence) if record.licence else "unknown",
        library_name=card.library,
        pipeline_tag=card.pipeline,
        tags=[*card.tags, "knowledge-distillation", "kdbench"],
        model_name=name,
        eval_results=[
            EvalResult(
                task_type=card.task_type or task.name,
                task_name=task.name.replace("_", " ").capitalize(),
                dataset_type=dataset.use,
                dataset_name=dataset.name,
                dataset_split="test",
                metric_type=metric.name,
                metric_name=metric.label,
                metric_value=round(record.metrics[metric.name], 6),
            )
            for metric in _metrics(record, task)
        ],
    )


def shown(metric: Metric, value: float) -> str:
    """A raw value in the metric's unit, with one decimal more than in tables."""
    return f"{metric.scale * value:.{metric.decimals + 1}f}"


def _metrics(record: Record, task: Task) -> list[Metric]:
    return [metric for metric in task.metrics if metric.name in record.metrics]


def _slug(text: Any) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", str(text).lower()).strip("-.")
