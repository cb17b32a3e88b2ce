"""The exporter `onnx`: two towers as ONNX files, in float32 and optionally int8, evaluated with ONNX Runtime."""

from __future__ import annotations

from typing import Any

from kdbench import ExportContext, Exported, ExportedModel, Exporter, KdbenchError, Offer, hookimpl

PACKAGES = ("onnx", "onnxscript", "onnxruntime")


class OnnxExporter:
    """Writes `image.onnx` and `text.onnx` with a dynamic batch size. `int8` also writes and evaluates both in int8."""

    def __init__(self, *, int8: bool = False) -> None:
        self.int8 = int8

    def check(self, student: Any, name: str) -> None:  # noqa: ARG002  any student of the task has two towers
        from kdbench_plugins.exporters.onnx_towers import check_packages

        check_packages()

    def export(self, student: Any, context: ExportContext) -> Exported:
        from kdbench_plugins.exporters.onnx_runtime import TOWERS, Precision, onnx_embeddings, onnx_latency, session, tower_path
        from kdbench_plugins.exporters.onnx_towers import quantize, write_onnx
        from kdbench_plugins.exporters.outputs import Embedded, encoded_as
        from kdbench_plugins.exporters.preprocessing import check_pixels, in_words

        folder, split = context.folder, context.encoded

        def loaded(precision: Precision, batch_size: int, difference: float | None = None) -> ExportedModel:
            embeddings = onnx_embeddings(folder, split, precision, batch_size)
            suffix = "" if precision == "fp32" else f"_{precision}"
            return ExportedModel(
                Embedded(student, embeddings),
                encoded_as(embeddings, split),
                difference,
                precision,
                {f"{name}{suffix}": ms for name, ms in onnx_latency(folder, precision).items()},
            )

        config = _config(student)
        about = {"run_id": context.run_id, "label": context.label}
        pixels = {}
        if config is not None:
            description, size = config
            check_pixels(description, context.data.split("test"), split.images, context.name)
            pixels = {"preprocessing": in_words(description["preprocess_cfg"], size)}
        differences = write_onnx(student, split, folder, about, pixels)
        models = [loaded("fp32", context.batch_size, max(differences.values()))]
        if self.int8:
            quantize(folder)
            # int8 activations have one scale per batch: only with batch size 1 does an embedding not depend on other items.
            models.append(loaded("int8", 1))
        metadata = {
            "towers": {tower: dict(session(tower_path(folder, tower)).get_modelmeta().custom_metadata_map) for tower in TOWERS},
            "logit_scale": student.module.logit_scale.exp().item(),
            "open_clip": config[0] if config else None,
        }
        return Exported(models, metadata=metadata, packages=PACKAGES)


def _config(student: Any) -> tuple[dict[str, Any], Any] | None:
    """The open_clip config of the student, with its preprocessing, and its size; None if it is not an open_clip model."""
    from kdbench_plugins.exporters.open_clip_folder import open_clip_of

    try:
        config, clip = open_clip_of(student, "")
    except KdbenchError:
        return None
    return config, clip.visual.image_size


@hookimpl
def kdbench_exporters() -> list[Offer[Exporter]]:
    return [Offer("onnx", OnnxExporter, "two ONNX files with a dynamic batch, in float32 and optionally int8")]
