"""Every key of an open_clip config, a preprocessing and a tokenizer: where it changes an output, it changes the tower's key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, cast

import pytest

from kdbench import Encoder, Modality, TeacherData
from kdbench.testing.findings import Broken
from kdbench.testing.retrieval.keys import keys_follow
from kdbench.testing.variants import Variants
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.teachers.openclip import OpenClip
from tests.support.clip_folders import CONFIG, changed, clip_folder

# Another value of every key; those of towers that other libraries build are tried below.
VISION: dict[str, Any] = {
    "layers": 1,
    "width": 48,
    "head_width": 32,
    "mlp_ratio": 2.0,
    "patch_size": 8,
    "image_size": 48,
    "ls_init_value": 0.5,
    "patch_dropout": 0.5,
    "attentional_pool": True,
    "attn_pooler_queries": 8,
    "attn_pooler_heads": 4,
    "no_ln_pre": True,
    "pos_embed_type": "sin_cos_2d",
    "final_ln_after_pool": True,
    "pool_type": "avg",
    "act_kwargs": {"approximate": "tanh"},
    "norm_kwargs": {"eps": 0.1},
    "block_type": "custom",
    "qk_norm": True,
    "scaled_cosine_attn": True,
    "scale_heads": True,
    "scale_attn_inner": True,
    "scale_attn": True,
    "scale_fc": True,
}
TEXT: dict[str, Any] = {
    "context_length": 10,
    "vocab_size": 49500,
    "tokenizer_kwargs": {"clean": "canonicalize"},
    "width": 32,
    "heads": 4,
    "layers": 1,
    "mlp_ratio": 2.0,
    "ls_init_value": 0.5,
    "embed_cls": True,
    "pad_id": 1,
    "eos_id": 3,
    "no_causal_mask": True,
    "final_ln_after_pool": True,
    "pool_type": "first",
    "proj_bias": True,
    "proj_type": "none",
    **{name: VISION[name] for name in ("act_kwargs", "norm_kwargs", "block_type", "qk_norm", "scaled_cosine_attn")},
    **{name: VISION[name] for name in ("scale_heads", "scale_attn_inner", "scale_attn", "scale_fc")},
}
TOP: dict[str, Any] = {
    "embed_dim": 8,
    "quick_gelu": True,
    "init_logit_scale": 1.0,
    "init_logit_bias": -10.0,
    "nonscalar_logit_scale": True,
    "custom_text": True,
}
PREPROCESS: dict[str, Any] = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bilinear",
    "resize_mode": "squash",
    "fill_color": 100,
}
ELSEWHERE = {
    "hf_tokenizer_name",
    "tokenizer_mode",
    "hf_model_name",
    "hf_model_pretrained",
    "hf_proj_type",
    "hf_pooler_type",
} | {
    "output_tokens",  # CoCa's
    "size",  # of the model's own image_size
    "mode",  # RGB alone
}


def test_every_key_that_open_clip_knows_is_tried() -> None:
    """A new key of open_clip must get a value here."""
    open_clip = import_open_clip()
    from open_clip.transform import PreprocessCfg

    for config_class, tried in ((open_clip.CLIPVisionCfg, VISION), (open_clip.CLIPTextCfg, TEXT), (PreprocessCfg, PREPROCESS)):
        names = {field.name for field in fields(config_class)}
        assert {name for name in names - ELSEWHERE if not name.startswith("timm_")} == set(tried), config_class
    own = set(signature(open_clip.CLIP.__init__).parameters) - {"self", "vision_cfg", "text_cfg", "cast_dtype", "output_dict"}
    assert own | {"custom_text"} == set(TOP)


def pair(build: Callable[[], OpenClip]) -> dict[Modality, Encoder]:
    towers = build().towers(cast(TeacherData, None))
    return {"image": towers.image, "text": towers.text}


def variants(tmp_path: Path, which: str) -> Variants:
    """The model of CONFIG and, by name, all with one key changed."""

    def teacher(name: str, config: dict[str, Any], preprocess: dict[str, Any] | None = None) -> Callable[[], OpenClip]:
        return partial(OpenClip, model=clip_folder(tmp_path / f"of {name}", config, preprocess))

    if which == "preprocess":
        settings = {name: value for name, value in PREPROCESS.items() if name != "fill_color"}
        return Variants(teacher("", CONFIG), {name: teacher(name, CONFIG, {name: value}) for name, value in settings.items()})
    start = changed(CONFIG, ("vision_cfg", "attn_pooler_queries"), 4)  # by default 256, which takes long
    made = {}
    for name, value in {"": TOP, "vision_cfg": VISION, "text_cfg": TEXT}[which].items():
        config = changed(start, (which, name) if which else (name,), value)
        if name.startswith("attn_pooler"):
            config = changed(config, ("vision_cfg", "attentional_pool"), True)
        made[name] = teacher(name, config)
    return Variants(teacher("", start), made)


@pytest.mark.parametrize("which", ["", "vision_cfg", "text_cfg", "preprocess"])
def test_keys_of_towers_follow_their_outputs(tmp_path: Path, which: str) -> None:
    made = variants(tmp_path, which)
    assert keys_follow(pair, made) == f"{len(made.changed)} parameters changed"  # none could not be built


def test_the_fill_colour_of_padded_pictures_is_part_of_the_key(tmp_path: Path) -> None:
    longest = {"resize_mode": "longest"}
    folders = [clip_folder(tmp_path / str(fill), CONFIG, longest | {"fill_color": fill}) for fill in (0, 100)]
    keys = {pair(partial(OpenClip, model=folder))["image"].key for folder in folders}
    assert len(keys) == 2


def test_the_precision_is_part_of_both_keys(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path, CONFIG)
    made = Variants(partial(OpenClip, model=folder), {"bf16": partial(OpenClip, model=folder, precision="bf16")})
    assert keys_follow(pair, made) == "1 parameters changed"


def test_towers_of_timm(tmp_path: Path) -> None:
    config = changed(CONFIG, ("vision_cfg",), {"timm_model_name": "test_vit", "image_size": 160, "timm_pool": "token"})
    others = {"timm_pool": "avg", "timm_proj": "mlp", "timm_drop": 0.3, "timm_drop_path": 0.3}
    changes = {
        name: partial(OpenClip, model=clip_folder(tmp_path / name, changed(config, ("vision_cfg", name), value)))
        for name, value in others.items()
    }
    made = Variants(partial(OpenClip, model=clip_folder(tmp_path / "unchanged", config)), changes)
    assert keys_follow(pair, made) == f"{len(others)} parameters changed"


def test_weights_alone_are_no_key(tmp_path: Path) -> None:
    """A key such as this project's first one, of weights and preprocessing, is found by the property."""
    from kdbench.storage.module_digest import state_digest

    def weights_only(build: Callable[[], OpenClip]) -> dict[Modality, Encoder]:
        found = pair(build)
        for tower in found.values():
            cast(Any, tower).key = state_digest(cast(Any, tower).clip)
        return found

    folders = [clip_folder(tmp_path / str(gelu), changed(CONFIG, ("quick_gelu",), gelu)) for gelu in (False, True)]
    made = Variants(partial(OpenClip, model=folders[0]), {"quick_gelu": partial(OpenClip, model=folders[1])})
    with pytest.raises(Broken, match="quick_gelu: the image encoder ImageTower keeps its key"):
        keys_follow(weights_only, made)
    keys_follow(pair, made)
