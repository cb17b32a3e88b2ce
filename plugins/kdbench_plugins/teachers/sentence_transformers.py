"""The teacher `sentence_transformers`: any sentence encoder as a teacher of texts. It has no image tower."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kdbench import KdbenchError, Modality, NoTower, Offer, Teacher, TeacherData, Towers, hookimpl
from kdbench_plugins.openclip import brief, weight_files
from kdbench_plugins.teachers.frozen_text import FrozenText, SentenceEncoder, model_folder

OTHER_FORMS = ["*.onnx", "onnx/*", "openvino/*", "*.h5", "*.msgpack", "*.ot"]  # of the same weights
PACKAGED = "minilm_l6"  # of the extra quickstart; nothing is downloaded


class SentenceTransformers:
    """`model` is a folder as sentence-transformers saves it, a repository of the Hugging Face hub such as
    `sentence-transformers/all-mpnet-base-v2`, or `minilm_l6`, which comes with `kdbench[quickstart]`.

    The teacher has caption embeddings only. Objectives that compare images with texts are refused; `relational_within` and
    `feature` work.
    """

    lacks: Modality = "image"

    def __init__(self, *, model: str = PACKAGED) -> None:
        self.model = model

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002 (it learns nothing from the dataset)
        check(model=self.model)
        text = FrozenText("minilm_l6") if self.model == PACKAGED else SentenceEncoder(self._folder(), "folder")
        return Towers(NoTower("image"), text, 1.0)

    def _folder(self) -> Path:
        if Path(self.model).is_dir():
            return Path(self.model)
        from huggingface_hub import snapshot_download

        try:
            return Path(snapshot_download(self.model, ignore_patterns=OTHER_FORMS))
        except Exception as error:  # the hub raises many types
            raise KdbenchError(
                f"teacher sentence_transformers: {self.model!r} could not be downloaded ({brief(error)}); without a network, "
                "set `model` to a local folder; with one, downloads are cached"
            ) from error


def check(*, model: str = PACKAGED) -> None:
    """Raises KdbenchError if sentence-transformers is not installed, or `model` is neither a folder nor a repository."""
    if find_spec("sentence_transformers") is None:
        raise KdbenchError("the package sentence-transformers is not installed; pip install sentence-transformers")
    if model == PACKAGED:
        model_folder()
    elif Path(model).is_dir():
        if not (Path(model) / "modules.json").is_file():
            raise KdbenchError(f"teacher sentence_transformers: {model}: found no modules.json; expected a saved model")
    elif model.count("/") != 1 or model.startswith((".", "/", "~")):
        raise KdbenchError(
            f"teacher sentence_transformers: model: found {model!r}; expected a folder, OWNER/NAME on the hub, or {PACKAGED}"
        )


def reads(*, model: str = PACKAGED) -> list[Path]:
    """The model's folder, or what has been downloaded. Raises KdbenchError if nothing has been."""
    if model == PACKAGED:
        return [model_folder()]
    return [Path(model)] if Path(model).is_dir() else weight_files(f"hf-hub:{model}", "")


def smoke(params: dict[str, Any]) -> dict[str, Any]:
    """A folder as it is, the packaged model instead of a download."""
    return params if Path(params["model"]).is_dir() else params | {"model": PACKAGED}


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [
        Offer(
            "sentence_transformers",
            SentenceTransformers,
            "any sentence encoder, from a folder or the hub; no image tower",
            check,
            reads=reads,
            smoke=smoke,
        )
    ]
