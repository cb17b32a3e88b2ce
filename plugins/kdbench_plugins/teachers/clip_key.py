"""The key of a tower of an open_clip model: everything that its embeddings depend on."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from kdbench import Modality
from kdbench_plugins.openclip import model_config, versions

FORMAT = 2


def tower_key(clip: Any, model: str, modality: Modality, reader: Any) -> str:
    """Identifies a tower of the loaded `model`; `reader` describes its preprocessing, or its tokenizer, and its precision.

    Holds the tower's weights and structure, its part of the model's config, and the versions of the libraries that build it.
    The other tower is not part of it: it changes nothing.
    """
    from kdbench import module_digest

    other = "text_cfg" if modality == "image" else "vision_cfg"
    config = {name: value for name, value in model_config(model).items() if name != other}
    digest = module_digest(clip.visual) if modality == "image" else module_digest(clip, without="visual")
    parts = [FORMAT, modality, type(clip).__qualname__, digest, config, versions(config), reader]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
