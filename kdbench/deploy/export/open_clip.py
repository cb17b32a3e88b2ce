"""A student as a folder that open_clip loads by itself: `open_clip.create_model_from_pretrained("local-dir:FOLDER")`."""

from __future__ import annotations

import importlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kdbench.contracts import Split, Student
from kdbench.errors import KdbenchError
from kdbench.storage.checkpoint import save_weights

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"


def described(student: Student, name: str) -> tuple[dict[str, Any], Any]:
    """The contents of a student's open_clip config, and open_clip's own module. Raises KdbenchError where it has none."""
    give = getattr(student, "open_clip", None)
    if give is None:
        raise KdbenchError(
            f"the student {name!r} is no model of open_clip: its plugin has no method open_clip(); expected a student such as "
            "`openclip`, or export it with --to onnx"
        )
    config, clip = give()
    return config, clip


def write_open_clip(student: Student, name: str, folder: Path) -> None:
    """Writes config, weights, and a tokenizer where it is one of Hugging Face. Raises KdbenchError for other students."""
    config, clip = described(student, name)
    (folder / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    save_weights(folder / WEIGHTS, clip)
    if config["model_cfg"]["text_cfg"].get("hf_tokenizer_name"):
        # From a folder, open_clip reads such a tokenizer from that folder, whatever its name is in the config.
        save = getattr(getattr(student.texts, "tokenizer", None), "save_pretrained", None)
        if save is None:
            raise KdbenchError(f"the tokenizer of the student {name!r} cannot be saved: it has no save_pretrained()")
        save(str(folder))


@torch.no_grad()
def open_clip_embeddings(folder: Path, split: Split, batch_size: int = 256) -> tuple[NDArray[Any], NDArray[Any]]:
    """Unit vectors of the images [N, d] and captions [M, d] of a split, by open_clip alone: its loading, preprocessing and
    tokenizer, nothing of the student's. Raises KdbenchError where open_clip cannot load the folder."""
    from PIL import Image

    open_clip: Any = importlib.import_module("open_clip")
    try:
        with _hushed():
            model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
            tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    except Exception as error:  # open_clip, torch and the hub raise what they like
        raise KdbenchError(f"open_clip cannot load what was written for it ({type(error).__name__}: {error})") from error
    model.eval()

    def in_batches(count: int, embed: Any) -> NDArray[Any]:
        return np.concatenate([embed(slice(start, start + batch_size)).numpy() for start in range(0, count, batch_size)])

    def images(part: slice) -> Any:
        pictures = [preprocess(Image.fromarray(np.asarray(split.images[i]))) for i in range(*part.indices(len(split.images)))]
        return model.encode_image(torch.stack(pictures), normalize=True)

    def texts(part: slice) -> Any:
        return model.encode_text(tokenizer(list(split.captions[part])), normalize=True)

    return in_batches(len(split.images), images), in_batches(len(split.captions), texts)


@contextmanager
def _hushed() -> Iterator[None]:
    """open_clip reports on the root logger what it loads from where."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
