"""Runs whose records and tables would say something else than what was run."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.case_inputs import SUITE, Type, clip_config, write_model, write_suite, write_table

RUN = ("run", "suite.yaml", "--no-profile", "--engine", "in_process", "--device", "cpu")
LONG = "this is a very high quality photograph that was taken by a professional in daylight and shows object number {}"


def test_a_word_is_no_truth_value_in_a_configuration(typed: Type, tmp_path: Path) -> None:
    """`no` is a word in YAML 1.2, and a word is true."""
    write_table(tmp_path)
    write_suite(tmp_path, SUITE.replace("    config:\n", "    config:\n      quick_gelu: no\n"))
    code, _, err = typed("check", "suite.yaml")
    assert code == 2
    assert "suite.yaml:9" in err
    assert "quick_gelu" in err
    assert "'no'" in err


def test_captions_that_the_context_makes_equal_are_told(typed: Type, tmp_path: Path) -> None:
    write_table(tmp_path, LONG)
    write_suite(tmp_path, SUITE)
    code, _, err = typed(*RUN)
    assert code == 0, err
    told = " ".join(err.split())
    assert "6 of 6 captions of the test split are longer than the context of 16 tokens and are cut" in told
    assert "6 of them are then equal to another caption" in told


def test_two_learning_rates_are_two_names(typed: Type, tmp_path: Path) -> None:
    write_table(tmp_path)
    write_suite(tmp_path, SUITE)
    for lr in ("1e-3", "1e-2"):
        code, _, err = typed(*RUN, f"train.lr={lr}")
        assert code == 0, err
    code, out, err = typed("leaderboard", "results")
    assert code == 0, err
    assert "train.lr=0.01" in out
    assert "train.lr=0.001" in out
    assert "tuning on the test split" in " ".join(out.split())


def test_other_weights_at_the_same_path_are_another_teacher(typed: Type, tmp_path: Path) -> None:
    """What was recorded with the old weights is not averaged with what the new ones taught."""
    write_table(tmp_path)
    config = clip_config()
    write_model(tmp_path / "teacher", config, {"size": 32}, seed=1)
    write_model(tmp_path / "new", config, {"size": 32}, seed=2)
    students = f"students:\n  - {{name: s, use: openclip, config: {json.dumps(config)}}}\n"
    teachers = "teachers:\n  t: {use: openclip, model: 'local-dir:teacher'}\nreferences: [t]\nteams: [[t]]\n"
    start, end = SUITE[: SUITE.index("students:")], SUITE[SUITE.index("train:") :]
    write_suite(tmp_path, f"{start}{students}{teachers}objective: [{{use: feature, coefficient: 1.0}}]\n{end}")
    code, _, err = typed(*RUN)
    assert code == 0, err
    (tmp_path / "new" / "open_clip_model.safetensors").replace(tmp_path / "teacher" / "open_clip_model.safetensors")
    code, out, err = typed(*RUN, "seeds=[0,1]")
    said = " ".join((out + err).split())
    assert "changed" in said or "differ" in said, said
