"""What a run reads: every file that changes what a plugin gives has part in the digest of its contents, whatever its path."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

import tests.support.karpathy_forms as forms
from kdbench.plugins.building import build
from kdbench.plugins.loading import installed
from kdbench.records.examine_parts import examine_parts, using_plugin
from kdbench.records.parts import Part
from kdbench.storage.cache import Cache
from kdbench.storage.content_digest import content_digest
from kdbench.storage.maker import maker
from kdbench.suite.spec import PluginSpec, RunSpec
from kdbench_plugins.students.clip_config import SMALL
from tests.support.toys import plugged, run_spec

Params = dict[str, Any]
FORMS: dict[str, tuple[str, Callable[[Path], Params]]] = {
    "json": ("flickr30k", lambda root: {"root": str(root), "form": "json"}),
    "csv": ("flickr30k", lambda root: {"root": str(root)}),
    "parquet": ("flickr30k", lambda root: {"root": str(root)}),
    "shards": ("flickr30k", lambda root: {"root": str(root)}),
    "streamed": ("webdataset", lambda root: {"root": str(root)}),
    "table": ("folder", lambda root: {"table": str(root / "table.csv")}),
}


def table(root: Path, source: Path) -> Path:
    """A table of one's own over the images of the JSON form, with one that it does not name."""
    root.mkdir()
    lines = ["image,split,caption"]
    for image in forms.entries(source):
        shutil.copy2(image["path"], root / image["filename"])
        lines.append(f"{image['filename']},{forms.NAMES[image['split']]},{image['filename']} of {image['split']}")
    shutil.copy2(image["path"], root / "unused.jpg")
    (root / "table.csv").write_text("\n".join(lines) + "\n")
    return root


def laid_out(form: str, folder: Path) -> Path:
    source = forms.write_json(folder / "json", "flickr30k")
    if form == "json":
        return source
    if form == "table":
        return table(folder / "table", source)
    write = {
        "csv": forms.write_csv,
        "parquet": forms.write_parquet,
        "shards": forms.write_shards,
        "streamed": forms.write_shards,
    }
    return write[form](folder / form, "flickr30k", source)


def given(use: str, params: Params) -> object:
    """All that a dataset gives, read afresh; the error if it cannot be read."""
    try:
        dataset = build("dataset", {"use": use, "size": 32, **params})
        found = []
        for name in ("train", "validation", "test"):
            split = dataset.split(name)
            pixels = [np.asarray(split.images[place]).tobytes() for place in range(len(split.images))]
            found.append((list(split.captions), pixels, split.image_concepts.tolist(), split.caption_concepts.tolist()))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return found


def part(spec: RunSpec, name: str, cache: Path) -> Part:
    return examine_parts(spec, installed(), Cache(cache))[name]


@pytest.mark.parametrize("form", FORMS)
def test_every_file_that_matters_to_a_dataset_is_read(form: str, tmp_path: Path) -> None:
    use, params_of = FORMS[form]
    root = laid_out(form, tmp_path)
    params = params_of(root)
    spec = run_spec(dataset=plugged(use, "d", size=32, **params))
    before, whole = part(spec, "dataset d", tmp_path / "cache").content, given(use, params)
    assert isinstance(whole, list), whole
    matter = 0
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        away = tmp_path / "away"
        shutil.move(file, away)
        if given(use, params) != whole:
            matter += 1
            changed = part(spec, "dataset d", tmp_path / "cache").content
            assert changed != before, file
        shutil.copy2(away, file)
        away.unlink()
    assert matter > 1
    moved = tmp_path / "elsewhere"
    root.rename(moved)
    there = run_spec(dataset=plugged(use, "d", size=32, **params_of(moved)))
    assert part(there, "dataset d", tmp_path / "cache").content == before


@pytest.mark.parametrize("form", ["json", "streamed", "table"])
def test_another_quarantine_list_is_another_content(form: str, tmp_path: Path) -> None:
    use, params_of = FORMS[form]
    params = params_of(laid_out(form, tmp_path))
    dataset = build("dataset", {"use": use, "size": 32, **params})
    sources = list(dataset.split("train").sources)[:2]
    found = set()
    for place, lines in enumerate(([], sources[:1], sources)):
        path = tmp_path / f"q{place}.txt"
        path.write_text("".join(f"{line}\n" for line in lines))
        spec = run_spec(dataset=plugged(use, "d", size=32, quarantine=str(path), **params))
        found.add(part(spec, "dataset d", tmp_path / "cache").content)
    assert len(found) == 3


def test_what_a_root_in_the_environment_holds_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        root = laid_out("json", tmp_path / name)
        if name == "other":
            image = next(root.rglob("*.jpg"))
            image.write_bytes(image.read_bytes() + b"\0")
        monkeypatch.setenv("KDBENCH_FLICKR30K", str(root))
        found.add(part(run_spec(dataset=plugged("flickr30k", "d", size=32)), "dataset d", tmp_path / "cache").content)
    assert len(found) == 2
    assert None not in found


def weights(path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    state = open_clip.model.CLIP(**SMALL).state_dict()
    path.parent.mkdir(exist_ok=True)
    save_file({key: value.contiguous() for key, value in state.items()}, path)


def runs_with(path: Path) -> dict[str, RunSpec]:
    """Runs that read weights, each under the name of the part that does."""
    student = {"config": SMALL, "pretrained": str(path)}
    teacher = {"model": f"local-dir:{path.parent}", "pretrained": ""}
    nested = {"use": "openclip", **student}
    return {
        "teacher folder": run_spec((plugged("openclip", "folder", **teacher),)),
        "teacher file": run_spec((plugged("openclip", "file", model="RN50", pretrained=str(path)),)),
        "student s": run_spec((), student=plugged("openclip", "s", model=None, **student)),
        "teacher t.student": run_spec((plugged("trained", "t", student=nested),)),
        "teacher shuffled.teacher": run_spec((plugged("label_shuffled", "shuffled", teacher={"use": "openclip", **teacher}),)),
        "teacher itself": run_spec(()).replace(
            role="reference", train=None, objective=(), strategy=None, student=plugged("openclip", "itself", **teacher)
        ),
    }


@pytest.mark.parametrize("name", runs_with(Path("weights")))
def test_other_weights_under_the_same_path_are_another_content(name: str, tmp_path: Path) -> None:
    path, cache = tmp_path / "model/open_clip_model.safetensors", tmp_path / "cache"
    found: dict[int, str | None] = {}
    for seed in (0, 1, 0):
        weights(path, seed)
        content = part(runs_with(path)[name], name, cache).content
        assert found.setdefault(seed, content) == content
    elsewhere = tmp_path / "moved/open_clip_model.safetensors"
    shutil.copytree(path.parent, elsewhere.parent)
    assert part(runs_with(elsewhere)[name], name, cache).content == found[0] != found[1]
    assert None not in found.values()


def test_weights_that_are_not_here_yet_are_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    hub = run_spec((plugged("openclip", "t", model="hf-hub:someone/clip"),))
    assert part(hub, "teacher t", tmp_path / "cache").content is None
    kept = tmp_path / "hub/models--someone--clip"
    found = set()
    for revision in ("one", "two"):
        (kept / "snapshots" / revision).mkdir(parents=True)
        (kept / "snapshots" / revision / "weights").write_text(revision)
        (kept / "refs").mkdir(exist_ok=True)
        (kept / "refs/main").write_text(revision)
        found.add(part(hub, "teacher t", tmp_path / "cache").content)
    assert len(found) == 2
    assert None not in found


def test_a_part_names_package_and_version(tmp_path: Path) -> None:
    spec = run_spec((), dataset=plugged("emoji", "d"))
    parts = examine_parts(spec, installed(), Cache(tmp_path))
    assert set(parts) == {"task", "dataset d", "student toy"}
    assert parts["student toy"] == Part()  # no plugin of this environment
    for name in ("task", "dataset d"):
        assert (parts[name].package, parts[name].version) == ("kdbench", version("kdbench"))
        assert parts[name].code
    assert parts["dataset d"].content not in (None, content_digest([], Cache(tmp_path)))


def test_entries_are_made_by_the_plugins_in_use() -> None:
    nested = PluginSpec(name="t", use="trained", params={"student": {"use": "openclip", "config": SMALL}})
    with using_plugin("teacher", nested, installed()):
        kdbench = f"kdbench {version('kdbench')}"
        assert maker().plugins == {"teacher trained": kdbench, "student openclip": kdbench}
        assert maker().code == ""
    assert maker().plugins == {}
