"""Exported towers in ONNX Runtime on the CPU: embeddings and latency, with as many threads as torch has."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.benchmark import Timer

from kdbench.tasks.retrieval.embeddings import EncodedSplit
from kdbench_plugins.exporters.outputs import Embeddings

TOWERS = ("image", "text")
Precision = Literal["fp32", "int8"]
SECONDS = 0.2  # of timing, for each tower and batch size


def tower_path(folder: Path, tower: str, precision: Precision = "fp32") -> Path:
    """The file of a tower."""
    return folder / (f"{tower}.onnx" if precision == "fp32" else f"{tower}.{precision}.onnx")


def session(path: Path) -> Any:
    """An InferenceSession on the CPU."""
    runtime: Any = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def onnx_embeddings(folder: Path, split: EncodedSplit, precision: Precision = "fp32", batch_size: int = 256) -> Embeddings:
    """Unit vectors of the images [N, d] and captions [M, d] of an encoded split, by the towers in `folder`.

    In int8, activations have one scale per batch, so an embedding depends on the rest of its batch unless `batch_size` is 1.
    """
    images, texts = (
        _embed(session(tower_path(folder, tower, precision)), values, batch_size)
        for tower, values in zip(TOWERS, (split.images, split.texts), strict=True)
    )
    return images, texts


def onnx_latency(folder: Path, precision: Precision = "fp32") -> dict[str, float]:
    """Median milliseconds of each tower at batch sizes 1 and 32: `image_batch1`, `text_batch32` and so on.

    Uses torch.get_num_threads() threads and blank items; comparable only on one machine.
    """
    found = {}
    for tower in TOWERS:
        runtime = session(tower_path(folder, tower, precision))
        for batch in (1, 32):
            timer = Timer(
                "run(None, {'items': items})",
                globals={"run": runtime.run, "items": _blank(runtime, batch)},
                num_threads=torch.get_num_threads(),
            )
            timer.timeit(3)  # warm-up: memory is planned in the first runs
            found[f"{tower}_batch{batch}"] = 1000 * timer.blocked_autorange(min_run_time=SECONDS).median
    return found


def _embed(runtime: Any, values: NDArray[Any], batch_size: int) -> NDArray[Any]:
    parts = []
    for start in range(0, len(values), batch_size):
        items = np.ascontiguousarray(values[start : start + batch_size])
        if items.dtype == np.float16:  # stored as float16, read as float32
            items = items.astype(np.float32)
        parts.append(runtime.run(None, {"items": items})[0])
    return np.concatenate(parts)


def _blank(runtime: Any, batch: int) -> NDArray[Any]:
    (items,) = runtime.get_inputs()
    kind = items.type.removeprefix("tensor(").removesuffix(")")
    return np.zeros((batch, *items.shape[1:]), dtype=np.dtype({"float": "float32", "double": "float64"}.get(kind, kind)))
