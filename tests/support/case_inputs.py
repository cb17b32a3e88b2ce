"""Small inputs on which kdbench once gave a wrong result in silence: pictures, tables, shards, models of open_clip."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

COUNTS = {"train": 8, "val": 4, "test": 6}
SPLITS = [split for split, count in COUNTS.items() for _ in range(count)]
Type = Callable[..., tuple[int, str, str]]  # runs `kdbench` with arguments


def picture(seed: int, width: int = 64, height: int = 48) -> Image.Image:
    """A smooth random picture."""
    noise = np.random.default_rng(seed).integers(0, 255, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=92)
    return stream.getvalue()


def write_pictures(folder: Path, name: str = "{}.jpg") -> list[str]:
    """A picture for every entry of SPLITS; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [name.format(index) for index in range(len(SPLITS))]
    for index, one in enumerate(names):
        (folder / one).write_bytes(jpeg(picture(index)))
    return names


def write_table(folder: Path, caption: str = "a picture number {}", header: str = "image,split,caption") -> Path:
    """A CSV of `write_pictures`, its lines as they are written here: captions are not quoted."""
    lines = [
        f"{name},{split},{caption.format(i)}"
        for i, (name, split) in enumerate(zip(write_pictures(folder), SPLITS, strict=True))
    ]
    path = folder / "t.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def write_shards(root: Path, samples: Callable[[str, int, int], tuple[str, bytes]]) -> None:
    """A shard for each split of pictures with a caption: `samples(split, place, number)` gives a sample's key and its text."""
    number = 0
    for split, count in COUNTS.items():
        (root / split).mkdir(parents=True)
        (root / split / "nshards.txt").write_text("1\n", encoding="utf-8")
        with tarfile.open(root / split / "0.tar", "w") as archive:
            for place in range(count):
                key, text = samples(split, place, number)
                for name, content in ((f"{key}.jpg", jpeg(picture(number))), (f"{key}.txt", text)):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
                number += 1


def counts_of(out: str) -> list[tuple[int, int]]:
    """Images and captions of train, validation and test, as `kdbench data check` prints them."""
    return [
        (int(images), int(captions)) for images, captions in re.findall(r"(?m)^(?:train|validation|test) +(\d+) +(\d+)", out)
    ]


def rsum_of(out: str) -> float:
    """RSUM as `kdbench evaluate` prints it."""
    found = re.search(r"(?m)^RSUM +([\d.]+)", out)
    assert found, out
    return float(found[1])


def clip_config(size: int = 32, width: int = 32, layers: int = 1, context: int = 16) -> dict[str, Any]:
    """A vision transformer and a text transformer of open_clip, small."""
    return {
        "embed_dim": 32,
        "vision_cfg": {"image_size": size, "layers": layers, "width": width, "head_width": 16, "patch_size": size // 4},
        "text_cfg": {"context_length": context, "vocab_size": 49408, "width": width, "heads": 2, "layers": layers},
    }


def write_model(
    folder: Path, config: Mapping[str, Any], preprocess: Mapping[str, Any], seed: int = 0, gain: float = 1.0
) -> None:
    """An open_clip folder with random weights; those of the MLPs are multiplied by `gain`, so that the activation matters."""
    import open_clip

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}), encoding="utf-8"
    )
    torch.manual_seed(seed)
    plain = {name: value for name, value in config.items() if name != "quick_gelu"}
    weights = open_clip.model.CLIP(**plain).state_dict()
    save_file(
        {key: (value * (gain if "mlp" in key else 1.0)).contiguous() for key, value in weights.items()},
        folder / "open_clip_model.safetensors",
    )


def by_open_clip(
    folder: Path, images: Sequence[Path], captions: Sequence[str], labels: Sequence[str], ks: Sequence[int]
) -> float:
    """RSUM of a folder as open_clip alone loads it, from the picture files, one query after another.

    Pictures and captions of one label match. A query's rank is 1 + the number of negatives scored at least as high as its best
    positive.
    """
    import open_clip

    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()
    with torch.no_grad():
        image = torch.cat([model.encode_image(preprocess(Image.open(path))[None], normalize=True) for path in images])
        text = torch.cat([model.encode_text(tokenizer([caption]), normalize=True) for caption in captions])
    total = 0.0
    for scores in ((image @ text.T).tolist(), (text @ image.T).tolist()):
        ranks = []
        for query, row in enumerate(scores):
            best = max(score for place, score in enumerate(row) if labels[place] == labels[query])
            ranks.append(1 + sum(score >= best - 1e-7 for place, score in enumerate(row) if labels[place] != labels[query]))
        total += sum(100 * sum(rank <= k for rank in ranks) / len(ranks) for k in ks)
    return total


def write_suite(folder: Path, text: str) -> Path:
    path = folder / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return path


SUITE = """\
name: tiny
seeds: [0]
datasets:
  - {use: folder, table: t.csv, size: 32}
students:
  - name: s
    use: openclip
    config:
      embed_dim: 16
      vision_cfg:
        {timm_model_name: test_resnet, timm_model_pretrained: false, timm_pool: avg, timm_proj: linear, image_size: 32}
      text_cfg: {context_length: 16, vocab_size: 49408, width: 32, heads: 2, layers: 1}
train: {epochs: 1, batch_size: 4, lr: 1e-3}
evaluate: {recall_at: [1, 2]}
"""
