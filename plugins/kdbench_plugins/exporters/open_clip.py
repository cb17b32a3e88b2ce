"""The exporter `open_clip`: a folder with a model card that open_clip can load."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kdbench import ExportContext, Exported, ExportedModel, Exporter, KdbenchError, ModelCard, Offer, hookimpl
from kdbench.contracts.exporter import TOLERANCE

USAGE = """```python
import open_clip

folder = "local-dir:FOLDER"  # the folder of this file, or "hf-hub:OWNER/NAME"
model, preprocess = open_clip.create_model_from_pretrained(folder)
tokenizer = open_clip.get_tokenizer(folder)
model.eval()
```

`preprocess` is the preprocessing of the training. Before it, turn pictures upright by their EXIF data
(`PIL.ImageOps.exif_transpose`) and put transparent ones on white, as in training."""
CARD = ModelCard(
    library="open_clip",
    usage=USAGE,
    pipeline="zero-shot-image-classification",
    task_type="image-text-retrieval",
    tags=("clip", "image-text-retrieval"),
)


class OpenClipExporter:
    """Writes config, weights, a model card and, if it is from Hugging Face, the tokenizer.

    Load it with `open_clip.create_model_from_pretrained("local-dir:FOLDER")`. Only for students with a method `open_clip()`.
    """

    def check(self, student: Any, name: str) -> None:
        from kdbench_plugins.exporters.open_clip_folder import open_clip_of

        open_clip_of(student, name)

    def export(self, student: Any, context: ExportContext) -> Exported:
        from kdbench.tasks.retrieval.embeddings import student_embeddings
        from kdbench_plugins.exporters.open_clip_folder import open_clip_embeddings, open_clip_of, write_open_clip
        from kdbench_plugins.exporters.outputs import Embedded, encoded_as, furthest
        from kdbench_plugins.exporters.preprocessing import in_words

        write_open_clip(student, context.name, context.folder)
        config, clip = open_clip_of(student, context.name)
        embeddings = open_clip_embeddings(context.folder, context.data.split("test"), context.batch_size)
        difference = furthest(embeddings, student_embeddings(student, context.encoded, context.batch_size, "cpu"))
        if not difference <= TOLERANCE:  # and not >, which a NaN would pass
            raise KdbenchError(
                f"loaded by open_clip, the student {context.name!r} gives other embeddings of the test split: the largest "
                f"difference is {difference:.2e}, expected {TOLERANCE:.0e} at most; its open_clip() does not describe its "
                "preprocessing"
            )
        loaded = ExportedModel(Embedded(student, embeddings), encoded_as(embeddings, context.encoded), difference)
        usage = f"{USAGE}\n\n{in_words(config['preprocess_cfg'], clip.visual.image_size)}"
        return Exported([loaded], card=replace(CARD, usage=usage))


@hookimpl
def kdbench_exporters() -> list[Offer[Exporter]]:
    return [Offer("open_clip", OpenClipExporter, "a folder with a model card that open_clip can load")]
