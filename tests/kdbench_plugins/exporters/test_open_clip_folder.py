"""open_clip loads the student of the record from an exported folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from kdbench.errors import KdbenchError
from kdbench.tasks.retrieval.embeddings import student_embeddings
from kdbench.tasks.retrieval.one_way import ranks
from kdbench_plugins.exporters.open_clip_folder import CONFIG, WEIGHTS, open_clip_embeddings, write_open_clip
from kdbench_plugins.exporters.outputs import furthest
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.students.openclip import OpenClip
from tests.support.export_runs import CONFIG as MODEL
from tests.support.export_runs import Trained, fused, linear, small


@pytest.fixture(scope="module")
def trained() -> Trained:
    return small()


@pytest.fixture(scope="module")
def written(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    write_open_clip(trained.student, "small", folder)
    return folder


def loaded(folder: Path) -> tuple[Any, Any, Any]:
    open_clip = import_open_clip()
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    return model.eval(), preprocess, open_clip.get_tokenizer(f"local-dir:{folder}")


def test_it_gives_the_ranks_of_the_record(trained: Trained, written: Path) -> None:
    model, preprocess, tokenizer = loaded(written)
    split = trained.dataset.split("test")
    with torch.no_grad():
        images = torch.cat([model.encode_image(preprocess(Image.fromarray(image))[None]) for image in split.images])
        texts = torch.cat([model.encode_text(tokenizer(caption)) for caption in split.captions])
    seen, said = ((vectors / vectors.norm(dim=1, keepdim=True)).numpy() for vectors in (images, texts))
    np.testing.assert_array_equal(ranks(seen, said, split.image_concepts, split.caption_concepts), trained.ranks.text)
    np.testing.assert_array_equal(ranks(said, seen, split.caption_concepts, split.image_concepts), trained.ranks.image)


def test_pixels_and_tokens_are_those_of_the_training(trained: Trained, written: Path) -> None:
    _, preprocess, tokenizer = loaded(written)
    config = json.loads((written / CONFIG).read_text())["preprocess_cfg"]
    mean, std = (np.array(config[key]).reshape(3, 1, 1) for key in ("mean", "std"))
    pictures = np.random.default_rng(0).integers(0, 256, (3, 57, 57, 3), dtype=np.uint8)
    read = trained.student.images.encode(pictures, "cpu").numpy().transpose(0, 3, 1, 2)
    for picture, pixels in zip(pictures, read, strict=True):
        found = preprocess(Image.fromarray(picture)).double().numpy() * std + mean
        assert found.shape == (3, 32, 40)
        np.testing.assert_array_equal(np.rint(found * 255), pixels)
    captions = ["A red, RED string of beads &amp; more beads than fit into the context", "", "🍕 pizza"]
    np.testing.assert_array_equal(tokenizer(captions).numpy(), trained.student.texts.encode(captions, "cpu").numpy())


def test_the_embeddings_are_those_of_one_at_a_time(trained: Trained, written: Path) -> None:
    split = trained.dataset.split("test")
    found = open_clip_embeddings(written, split, batch_size=7)
    assert [len(vectors) for vectors in found] == [48, 72]
    assert 0 < furthest(found, student_embeddings(trained.student, trained.split, 1, "cpu")) < 1e-5


def test_the_difference_tells_another_resizing(trained: Trained, written: Path, tmp_path: Path) -> None:
    config = json.loads((written / CONFIG).read_text())
    config["preprocess_cfg"]["resize_mode"] = "squash"
    (tmp_path / CONFIG).write_text(json.dumps(config))
    (tmp_path / WEIGHTS).write_bytes((written / WEIGHTS).read_bytes())
    found = open_clip_embeddings(tmp_path, trained.dataset.split("test"))
    assert furthest(found, student_embeddings(trained.student, trained.split, 64, "cpu")) > 1e-3


def test_a_fused_student_is_the_one_in_it(tmp_path: Path) -> None:
    run = fused()
    write_open_clip(run.student, "fusion", tmp_path)
    assert not [name for name in load_file(tmp_path / WEIGHTS) if "fusion" in name]
    found = open_clip_embeddings(tmp_path, run.dataset.split("test"))
    assert furthest(found, student_embeddings(run.student, run.split, 64, "cpu")) < 1e-5


def test_other_students_are_refused(tmp_path: Path) -> None:
    run = linear()
    with pytest.raises(KdbenchError, match=r"'linear' is not an open_clip model: its plugin has no method open_clip\(\)"):
        write_open_clip(run.student, "linear", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_open_clip_cannot_load(trained: Trained, written: Path, tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_bytes((written / CONFIG).read_bytes())
    (tmp_path / WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(KdbenchError, match="open_clip cannot load the exported folder"):
        open_clip_embeddings(tmp_path, trained.dataset.split("test"))


def test_a_tokenizer_of_hugging_face_goes_with_it(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "blue", "beads", "##s"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    origin, target = tmp_path / "origin", tmp_path / "target"
    transformers.BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(str(origin))
    text = {"context_length": 6, "vocab_size": len(words), "width": 16, "heads": 2, "layers": 1}
    student = OpenClip(config={**MODEL, "text_cfg": text | {"hf_tokenizer_name": str(origin)}})
    captions = ["Red beads", "blue and red and blue beads", ""]
    expected = student.texts.encode(captions, "cpu").numpy()
    target.mkdir()
    write_open_clip(student, "hf", target)
    shutil.rmtree(origin)
    np.testing.assert_array_equal(loaded(target)[2](captions).numpy(), expected)
    assert len(set(expected[0])) > 3  # it knows its words
