"""Every student that builds on another one, trained, finalised and exported: open_clip alone and ONNX Runtime give the ranks of
its record."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kdbench.deploy.export.exporting import export
from kdbench.errors import KdbenchError
from kdbench.plugins.loading import installed
from tests.support.adapted import CONFIG, WARM
from tests.support.derived import context_of, ran, spec_of
from tests.support.export_runs import Trained
from tests.support.toys import plugged

CLIP = {"use": "openclip", "config": CONFIG}
DEEP = {**CONFIG, "vision_cfg": {**CONFIG["vision_cfg"], "layers": 2}, "text_cfg": {**CONFIG["text_cfg"], "layers": 2}}
QUICK: dict[str, Any] = {"epochs": 1, "batch_size": 8, "lr": 0.004}
BUILDERS: dict[str, dict[str, Any]] = {
    "consensus_pooling": {"student": CLIP, "heads": 2, "hidden": 8, "concepts": 5},
    "fusion": {"student": CLIP, "width": 8, "heads": 2},
    "l_lora": {"student": WARM, "rank": 2},
    "layer_pruned": {
        "teacher": {"use": "trained", "student": {"use": "openclip", "config": DEEP}, **QUICK},
        "image": 1,
        "text": 1,
    },
    "lora": {"student": WARM, "rank": 2},
    "merged": {"student": CLIP, "teachers": {"a": {"use": "sage"}, "b": {"use": "sage", "seed": 2, "width": 9}}, **QUICK},
    "mmlora": {"student": WARM, "rank": 2, **QUICK},
    "moefied_lora": {"student": WARM, "rank": 2, "experts": 4},
    "soft_threshold": {"student": CLIP, "start": 0.02, "rate": 100.0, "image": 0.4, "text": 0.2},
    "warm_start": {name: value for name, value in WARM.items() if name != "use"},
}
POOLS = {"consensus_pooling"}  # its embeddings are pooled as no model of open_clip pools
OFFERS = [listed.offer for name, listed in installed().offers("student").items() if name in BUILDERS]
# Finalised, the others are modules of one class, of which these are enough on most days.
EXPORTED_DAILY = {"consensus_pooling", "lora", "moefied_lora", "soft_threshold"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trained]:
    """A run of each, made when it is first asked for; the earlier training that several start from is shared."""
    context = context_of(tmp_path_factory.mktemp("runs"), OFFERS)
    return cache(lambda use: ran(context, spec_of(plugged(use, **BUILDERS[use]), team=() if use == "merged" else ("a",))))


def check(run: Trained, to: str, folder: Path) -> None:
    report = export(run.record, plugged(to), folder, run.context.plugins, run.context.cache, run.arrays)
    assert report.difference is not None
    assert report.difference < 1e-5
    assert report.agreement == {"text": 1.0, "image": 1.0}
    assert report.metrics == run.record.metrics


def test_every_builder_that_ships_is_here() -> None:
    """Of the students that retrieve: the exporters know no others."""
    offers = installed().offers("student").items()
    own = {name for name, one in offers if one.provider.startswith("kdbench:") and one.offer.task == "retrieval"}
    assert own - {"openclip"} == set(BUILDERS)


@pytest.mark.parametrize("use", sorted(set(BUILDERS) - POOLS))
def test_open_clip_gives_the_ranks_of_the_record(use: str, trained: Callable[[str], Trained], tmp_path: Path) -> None:
    check(trained(use), "open_clip", tmp_path / "out")


@pytest.mark.parametrize("use", sorted(POOLS))
def test_what_open_clip_cannot_pool_is_refused(use: str, trained: Callable[[str], Trained], tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=r"is not an open_clip model: its plugin has no method open_clip\(\).* --to onnx"):
        check(trained(use), "open_clip", tmp_path / "out")


@pytest.mark.parametrize(
    "use", [pytest.param(use, marks=[] if use in EXPORTED_DAILY else pytest.mark.faults) for use in sorted(BUILDERS)]
)
def test_onnx_runtime_gives_the_ranks_of_the_record(use: str, trained: Callable[[str], Trained], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    check(trained(use), "onnx", tmp_path / "out")
