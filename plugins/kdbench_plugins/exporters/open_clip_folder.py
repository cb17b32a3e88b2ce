"""Writes a student as a folder for `open_clip.create_model_from_pretrained("local-dir:FOLDER")`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kdbench import KdbenchError, Split
from kdbench.storage.checkpoint import save_weights
from kdbench_plugins.exporters.outputs import Embeddings
from kdbench_plugins.exporters.preprocessing import pictures_of
from kdbench_plugins.openclip import hushed, import_open_clip

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"


def open_clip_of(student: Any, name: str) -> tuple[dict[str, Any], Any]:
    """The contents of a student's open_clip config, and open_clip's own module. Raises KdbenchError if it has none."""
    give = getattr(student, "open_clip", None)
    if give is None:
        raise KdbenchError(
            f"the student {name!r} is not an open_clip model: its plugin has no method open_clip(); expected a student such as "
            "`openclip`, or export it with --to onnx"
        )
    config, clip = give()
    return config, clip


def write_open_clip(student: Any, name: str, folder: Path) -> None:
    """Writes config, weights and, if it is from Hugging Face, the tokenizer. Raises KdbenchError for other students."""
    config, clip = open_clip_of(student, name)
    (folder / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    save_weights(folder / WEIGHTS, clip)
    if config["model_cfg"]["text_cfg"].get("hf_tokenizer_name"):
        # From a folder, open_clip reads such a tokenizer from that folder, for any name in the config.
        save = getattr(getattr(student.texts, "tokenizer", None), "save_pretrained", None)
        if save is None:
            raise KdbenchError(f"the tokenizer of the student {name!r} cannot be saved: it has no save_pretrained()")
        save(str(folder))


@torch.no_grad()
def open_clip_embeddings(folder: Path, split: Split, batch_size: int = 256) -> Embeddings:
    """Unit vectors of the images [N, d] and captions [M, d] of a split, computed with open_clip's own loading, preprocessing
    and tokenizer. Pictures are read from their files, if the dataset has files.

    Raises KdbenchError if open_clip cannot load the folder.
    """
    from PIL import Image

    open_clip = import_open_clip()
    try:
        with hushed():
            model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
            tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    except Exception as error:  # open_clip, torch and the hub raise many types
        raise KdbenchError(f"open_clip cannot load the exported folder ({type(error).__name__}: {error})") from error
    model.eval()

    def in_batches(count: int, embed: Any) -> Any:
        return np.concatenate([embed(slice(start, start + batch_size)).numpy() for start in range(0, count, batch_size)])

    def images(part: slice) -> Any:
        chosen = [preprocess(Image.fromarray(np.asarray(pictures[i]))) for i in range(*part.indices(len(pictures)))]
        return model.encode_image(torch.stack(chosen), normalize=True)

    def texts(part: slice) -> Any:
        return model.encode_text(tokenizer(list(split.captions[part])), normalize=True)

    pictures = pictures_of(split)
    return in_batches(len(pictures), images), in_batches(len(split.captions), texts)
