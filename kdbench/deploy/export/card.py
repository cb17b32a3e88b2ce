"""The model card of an exported student: README.md with the front matter that Hugging Face reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from kdbench.records.provenance import versions
from kdbench.records.record import Record

CARD = "README.md"
TASK = "image-text-retrieval"
DIRECTIONS = {"image": "text → image", "text": "image → text"}


def write_card(record: Record, folder: Path, difference: float) -> None:
    """Writes what the student of `record` is, how it was trained and what it scored. `difference` is the largest between
    an embedding of the exported model and the student's."""
    name = f"{record.spec['student']['name']}-{record.run_id}"
    environment = Environment(
        loader=PackageLoader("kdbench.deploy.export", "."), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    body = environment.get_template("card.md.jinja").render(
        name=name,
        record=record,
        spec=record.spec,
        metrics=[(_title(key), shown(key, value)) for key, value in record.metrics.items()],
        difference=f"{difference:.1e}",
        written_with=versions(),
    )
    text = f"---\n{front_matter(record, name).to_yaml()}\n---\n\n{body}"
    (folder / CARD).write_text(text, encoding="utf-8")


def front_matter(record: Record, name: str) -> ModelCardData:
    """License, pipeline tag, and a `model-index` with the metrics of the test split, recalls as shares."""
    dataset = record.spec["dataset"]
    return ModelCardData(
        license="other",  # nobody has chosen one for these weights; what the data asks for is named
        license_name=_slug(record.licence) if record.licence else "unknown",
        library_name="open_clip",
        pipeline_tag="zero-shot-image-classification",
        tags=["clip", TASK, "knowledge-distillation", "kdbench"],
        model_name=name,
        eval_results=[
            EvalResult(
                task_type=TASK,
                task_name="Image-text retrieval",
                dataset_type=dataset["use"],
                dataset_name=dataset["name"],
                dataset_split="test",
                metric_type=key,
                metric_name=_title(key),
                metric_value=round(value, 6),
            )
            for key, value in record.metrics.items()
        ],
    )


def shown(key: str, value: float) -> str:
    """A metric in percent; `rsum` and `mean_recall` are already."""
    return f"{100 * value if '@' in key else value:.2f}"


def _title(key: str) -> str:
    found = re.fullmatch(r"(image|text)_retrieval_recall@(\d+)", key)
    if found:
        return f"R@{found[2]}, {DIRECTIONS[found[1]]}"
    return {"rsum": "RSUM", "mean_recall": "mean recall"}.get(key, key)


def _slug(text: Any) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", str(text).lower()).strip("-.")
