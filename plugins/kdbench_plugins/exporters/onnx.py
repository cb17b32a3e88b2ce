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

        differences = write_onnx(student, split, folder, {"run_id": context.run_id, "label": context.label})
        models = [loaded("fp32", context.batch_size, max(differences.values()))]
        if self.int8:
            quantize(folder)
            # int8 activations have one scale per batch: only with batch size 1 does an embedding not depend on other items.
            models.append(loaded("int8", 1))
        metadata = {
            "towers": {tower: dict(session(tower_path(folder, tower)).get_modelmeta().custom_metadata_map) for tower in TOWERS},
            "logit_scale": student.module.logit_scale.exp().item(),
            "open_clip": _config(student),
        }
        return Exported(models, metadata=metadata, packages=PACKAGES)


def _config(student: Any) -> dict[str, Any] | None:
    """The open_clip config of the student, with tokenizer and preprocessing; None if it is not an open_clip model."""
    from kdbench_plugins.exporters.open_clip_folder import open_clip_of

    try:
        return open_clip_of(student, "")[0]
    except KdbenchError:
        return None


@hookimpl
def kdbench_exporters() -> list[Offer[Exporter]]:
    return [Offer("onnx", OnnxExporter, "two ONNX files with a dynamic batch, in float32 and optionally int8")]
