"""Images a second of a ViT-B/16 teacher with random weights: the network alone, and through the cache with preprocessing."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch

from kdbench.data.borders import stored_rows
from kdbench.data.encoding import CHUNK, write_rows
from kdbench_plugins.teachers.timm import TimmTower
from kdbench_plugins.teachers.tower import settled
from tests.gpu.timing import milliseconds
from tests.gpu.watch import Watch


def measure(device: str, small: bool) -> dict[str, Any]:
    name = "vit_tiny_patch16_224" if small else "vit_base_patch16_224"
    network = settled(timm.create_model(name, pretrained=False, num_classes=0), device)
    found: dict[str, Any] = {"model": name}
    batch = 2 if small else CHUNK
    pixels = torch.rand(batch, 3, 224, 224, device=device)

    def encode(_: int) -> object:
        return network(pixels)

    for precision in (torch.float32, torch.bfloat16):
        with torch.no_grad(), torch.autocast(torch.device(device).type, torch.bfloat16, precision == torch.bfloat16):
            spent = milliseconds(encode, device, 1 if small else 10, small)
        found[f"images_a_second_{str(precision).removeprefix('torch.')}"] = round(1000 * batch / spent["total"], 1)
    return found | through_cache(network, name, device, 4 if small else 8 * CHUNK)


def through_cache(network: Any, name: str, device: str, images: int) -> dict[str, Any]:
    """As runs encode pictures: decoded one after another, in chunks, stored in float16."""
    tower = TimmTower(network, name)
    pictures = np.random.default_rng(0).integers(0, 255, (images, 256, 256, 3), dtype=np.uint8)

    def compute(start: int, stop: int) -> Any:
        return stored_rows(tower, tower.encode(pictures[start:stop], device), stop - start, start, "train image")

    with tempfile.TemporaryDirectory() as folder, Watch() as watch:
        started = time.perf_counter()
        write_rows(Path(folder) / "values.npy", images, compute, lambda *_: None)
        seconds = time.perf_counter() - started
    return {"images_a_second_stored": round(images / seconds, 1), **watch.found}
