"""Presets: what a suite takes over from them, and where their mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.errors import SuiteError
from kdbench.plugins.loading import Plugins, installed
from kdbench.suite import shipped
from kdbench.suite.check import load_suite
from kdbench.suite.extends import read_extended
from kdbench.suite.plan import plan
from tests.conftest import SUITE

HEAD = "name: tiny\nseeds: [0, 1]\n"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_maps_merge_lists_are_replaced_and_own_keys_win(tmp_path: Path) -> None:
    write(
        tmp_path, "presets/a.yaml", "train: {epochs: 1, lr: 0.1}\nseeds: [1, 2]\nteachers: {t: {use: x, p: 1}, u: {use: x}}\n"
    )
    write(tmp_path, "presets/b.yaml", "train: {lr: 0.2, clip_norm: 3}\n")
    suite = write(tmp_path, "s.yaml", "extends: [a, b]\nseeds: [0]\ntrain: {clip_norm: 4}\nteachers: {t: {p: 2}}\n")
    found = read_extended(suite)
    assert found.data == {
        "train": {"epochs": 1, "lr": 0.2, "clip_norm": 4},
        "seeds": [0],
        "teachers": {"t": {"use": "x", "p": 2}, "u": {"use": "x"}},
    }
    assert ("seeds", 1) not in found.lines
    assert found.files[("train", "epochs")] == str(tmp_path / "presets/a.yaml")
    assert found.files[("train", "lr")] == str(tmp_path / "presets/b.yaml")
    assert ("train", "clip_norm") not in found.files
    assert found.lines[("train", "clip_norm")] == 3


def test_another_plugin_does_not_inherit_parameters(tmp_path: Path) -> None:
    write(tmp_path, "presets/a.yaml", "teachers: {t: {use: x, p: 1}}\n")
    suite = write(tmp_path, "s.yaml", "extends: a\nteachers: {t: {use: y}}\n")
    assert read_extended(suite).data == {"teachers": {"t": {"use": "y"}}}


def test_presets_extend_presets_and_have_no_say_in_the_name(tmp_path: Path) -> None:
    write(tmp_path, "presets/deep/a.yaml", "description: of the preset\nseeds: [3]\ntrain: {epochs: 1}\n")
    write(tmp_path, "b.yaml", "name: b\nextends: deep/a\ntrain: {lr: 0.5}\n")
    found = read_extended(write(tmp_path, "s.yaml", "name: s\nextends: b.yaml\n"))
    assert found.data == {"name": "s", "seeds": [3], "train": {"epochs": 1, "lr": 0.5}}
    assert found.files[("seeds",)].endswith("a.yaml")
    assert found.files[("train", "lr")].endswith("b.yaml")


def test_run_ids_do_not_depend_on_where_a_part_is_written(tmp_path: Path, plugins: Plugins) -> None:
    whole = write(tmp_path, "whole.yaml", SUITE)
    _, _, rest = SUITE.partition("seeds: [0, 1]\n")
    write(tmp_path, "presets/rest.yaml", rest)
    split = write(tmp_path, "split.yaml", f"{HEAD}extends: rest\n")
    assert [run.run_id for run in plan(load_suite(split, plugins))] == [run.run_id for run in plan(load_suite(whole, plugins))]


def test_mistakes_are_told_where_they_were_made(tmp_path: Path, plugins: Plugins) -> None:
    _, _, rest = SUITE.partition("seeds: [0, 1]\n")
    preset = write(tmp_path, "presets/rest.yaml", rest.replace("- equal", "- eqaul").replace("epochs: 2", "epochs: many"))
    suite = write(tmp_path, "s.yaml", f"{HEAD}extends: rest\ntrain: {{lr: -1}}\n")
    with pytest.raises(SuiteError) as error:
        load_suite(suite, plugins, ["evaluate.every=0"])
    text = str(error.value)
    assert f"{preset}:13: strategies[0].use\n  found     'eqaul'" in text
    assert f"{preset}:17: train.epochs\n  found     'many'" in text
    for key in ("strategies", "train.epochs"):  # lists are replaced whole
        assert f"from a preset; `{key}` in {suite} would replace it" in text
    assert text.count("from a preset") == 2
    assert f"{suite}:4: train.lr\n  found     -1" in text
    assert "override evaluate.every=0: evaluate.every" in text


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("extends: students/resnet-48p", "did you mean 'students/resnet-48px'?"),
        ("extends: [there, nowhere]", "found     'nowhere'"),
        ("extends: 5", "found     5\n  expected  the name of a preset, or a list of names"),
        ("extends: [5]", "found     [5]"),
        ("extends: s.yaml", "a preset that does not extend this file"),
        ("extends: round", "a preset that does not extend this file"),
        ("extends: none", "presets/none.yaml:1: found an empty file"),
    ],
)
def test_what_cannot_be_extended(line: str, told: str, tmp_path: Path) -> None:
    write(tmp_path, "presets/there.yaml", "seeds: [0]\n")
    write(tmp_path, "presets/round.yaml", "extends: round\n")
    write(tmp_path, "presets/none.yaml", "\n")
    suite = write(tmp_path, "s.yaml", f"name: s\n{line}\n")
    with pytest.raises(SuiteError) as error:
        read_extended(suite)
    assert told in str(error.value)
    assert str(error.value).startswith(str(tmp_path))


def test_presets_beside_the_suite_come_before_shipped_ones(tmp_path: Path) -> None:
    name = "training/emoji"
    suite = write(tmp_path, "s.yaml", f"extends: {name}\n")
    assert read_extended(suite).data["train"]["epochs"] == 30
    write(tmp_path, f"presets/{name}.yaml", "train: {epochs: 7}\n")
    assert read_extended(suite).data == {"train": {"epochs": 7}}


def test_every_shipped_preset_says_what_it_is() -> None:
    known = shipped.presets()
    assert {"students/resnet-48px", "teachers/efficientnet-lite", "training/emoji"} <= set(known)
    for path in known.values():
        assert shipped.description(path)


def test_a_preset_alone_completes_a_suite(tmp_path: Path) -> None:
    names = "[students/resnet-48px, teachers/efficientnet-lite, training/emoji]"
    suite = write(tmp_path, "s.yaml", f"name: s\nextends: {names}\ndatasets: [emoji]\nstrategies: [equal]\n")
    assert len(plan(load_suite(suite, installed()))) == 4
