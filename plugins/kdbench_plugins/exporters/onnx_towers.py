"""Writes a student as two ONNX files, `image.onnx` and `text.onnx`, with a dynamic batch size, also in int8."""

from __future__ import annotations

import importlib
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdbench import KdbenchError
from kdbench.contracts.exporter import TOLERANCE
from kdbench.data.on_device import on_device
from kdbench.tasks.retrieval.embeddings import EncodedSplit
from kdbench_plugins.exporters.onnx import PACKAGES
from kdbench_plugins.exporters.onnx_runtime import TOWERS, session, tower_path
from kdbench_plugins.openclip import brief

BATCH_SIZES = (1, 2, 5)  # batch sizes at which the runtimes are compared


class _Tower(nn.Module):
    """One tower of a student's module as a forward pass."""

    def __init__(self, module: Any, tower: str) -> None:
        super().__init__()
        self.module = module
        self.encode = getattr(module, f"encode_{tower}")

    def forward(self, items: Tensor) -> Tensor:
        vectors: Tensor = self.encode(items)
        return vectors


def check_packages() -> None:
    """Raises KdbenchError if a package of the extra `onnx` is missing."""
    for package in PACKAGES:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise KdbenchError(
                f"an export to ONNX needs {package}, which cannot be imported ({error}): pip install 'kdbench[onnx]'"
            ) from error


def write_onnx(
    student: Any, split: EncodedSplit, folder: Path, metadata: dict[str, str], image: dict[str, str] | None = None
) -> dict[str, float]:
    """Writes both towers in float32. Returns, by tower, the largest absolute difference from torch at batch sizes 1, 2 and 5.

    A tower's input `items` has the type and shape of the encoded `split`; its output `vectors` are unit vectors, float32
    [batch, d]. The file's metadata holds `metadata`, that of the image tower `image` as well, and describes input and output.
    Raises KdbenchError if a package is missing, torch cannot export a tower, or a difference exceeds `TOLERANCE`.
    """
    check_packages()
    differences = {}
    for tower, values, encoder in zip(TOWERS, (split.images, split.texts), (student.images, student.texts), strict=True):
        module = _Tower(student.module, tower).eval()
        example = _some(values, 2)
        reads = {"input": f"{example.numpy().dtype} [batch, {', '.join(map(str, example.shape[1:]))}]", "encoder": encoder.key}
        gives = {"output": f"float32 [batch, {student.width}], unit vectors"}
        path = tower_path(folder, tower)
        _write(module, example, path, metadata | reads | gives | ((image or {}) if tower == "image" else {}), tower)
        differences[tower] = _difference(module, values, path)
        if not differences[tower] <= TOLERANCE:  # and not >, which a NaN would pass
            raise KdbenchError(
                f"the {tower} tower gives other embeddings in ONNX Runtime than in torch: the largest difference is "
                f"{differences[tower]:.2e}, expected {TOLERANCE:.0e} at most"
            )
    return differences


def quantize(folder: Path) -> list[Path]:
    """Writes `image.int8.onnx` and `text.int8.onnx` beside the float32 towers: weights in 8 bits, activations quantized
    dynamically with one scale per batch. Returns both paths. Raises KdbenchError if ONNX Runtime cannot quantize a tower."""
    check_packages()
    onnx: Any = importlib.import_module("onnx")
    quantization: Any = importlib.import_module("onnxruntime.quantization")
    written = []
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it names every tensor that it leaves in float32
    try:
        for tower in TOWERS:
            model = onnx.load(tower_path(folder, tower))
            model.graph.ClearField("value_info")  # shapes that the quantizer infers for itself, and differently
            path = tower_path(folder, tower, "int8")
            # Unsigned: not every version of ONNX Runtime has a convolution of signed weights.
            quantization.quantize_dynamic(model, path, weight_type=quantization.QuantType.QUInt8)
            written.append(path)
    except Exception as error:  # onnx and ONNX Runtime raise many types
        raise KdbenchError(f"ONNX Runtime cannot quantize the {tower} tower ({brief(error)}); export without int8") from error
    finally:
        logging.disable(before)
    return written


def _write(module: nn.Module, example: Tensor, path: Path, metadata: dict[str, str], tower: str) -> None:
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about torch's own internals
            program: Any = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=["items"],
                output_names=["vectors"],
                verbose=False,
            )
        program.model.metadata_props.update(metadata)
        program.save(path, external_data=False)
    except Exception as error:  # torch.export and the exporter have many kinds
        raise KdbenchError(
            f"torch cannot export the {tower} tower to ONNX with a dynamic batch ({brief(error)}); expected a forward pass "
            "without branches on the values or the number of its inputs"
        ) from error


def _difference(module: nn.Module, values: Any, path: Path) -> float:
    runtime = session(path)
    largest = []
    for count in BATCH_SIZES:
        items = _some(values, count)
        with torch.no_grad():
            expected = module(items).float().numpy()
        (found,) = runtime.run(None, {"items": items.numpy()})
        if found.shape != expected.shape:
            raise KdbenchError(f"{path.name}: returns shape {list(found.shape)}, expected {list(expected.shape)}")
        largest.append(np.abs(found - expected).max())
    return float(np.max(largest))


def _some(values: Any, count: int) -> Tensor:
    """The first `count` items as a tower reads them, repeated if the split has fewer."""
    return on_device(np.asarray(values[: min(count, len(values))])[np.arange(count) % len(values)], "cpu")
