"""FFNs as experts: what grouping, scaling and fading keep."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kdbench import KdbenchError
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.students.experts import ExpertAdapters, Router, ffns_of
from kdbench_plugins.students.low_rank import LowRank
from tests.support.adapted import HIDDEN, WIDTH, Towers, embedded, moved

CLASSES = 598  # of CUB, Flowers, Cars and Aircraft, which EMTAL's counts include
TUNABLE = {1: 0.7548, 2: 0.9022, 4: 1.1971}  # M, by rank


def adapted(module: nn.Module, experts: int = 4, rank: int = 2, fade: float = 0.9) -> ExpertAdapters:
    return ExpertAdapters(module, experts, fade, lambda weight: LowRank(weight, rank, 1.0))


def test_ffns_are_found_in_their_blocks() -> None:
    assert [(ffn.name, ffn.block) for ffn in ffns_of(Towers())] == [("image.mlp", "image"), ("text.mlp", "text")]
    import timm

    found = list(ffns_of(timm.create_model("test_vit")))
    assert {ffn.block for ffn in found} == {f"blocks.{place}" for place in range(len(found))}


def test_grouping_keeps_the_function_and_puts_neurons_that_are_alike_together() -> None:
    module = Towers()
    expected = embedded(module)
    [ffn, _] = ffns_of(module)
    rows = {tuple(row) for row in ffn.up.weight.tolist()}
    with torch.no_grad():
        ffn.up.weight[1::2] = ffn.up.weight[1::2] + 5  # two kinds of neurons, in turn
    shifted = embedded(module)
    ffn.group(2)
    torch.testing.assert_close(embedded(module), shifted, rtol=0, atol=1e-6)
    assert not torch.allclose(shifted, expected)
    first, second = ffn.up.weight[: HIDDEN // 2], ffn.up.weight[HIDDEN // 2 :]
    assert {bool(half.min() > 2) for half in (first, second)} == {False, True}
    assert sum(tuple(row) in rows for row in ffn.up.weight.tolist()) == HIDDEN // 2


def test_tunable_parameters_of_a_vit_b() -> None:
    """As published: low-rank additions, routers, and heads for 598 classes, which are not ours."""
    transformer = import_open_clip().transformer.Transformer(width=768, layers=1, heads=12)
    transformer.logit_scale = nn.Parameter(torch.zeros(()))
    found = adapted(transformer, experts=16, rank=1)
    learns = sum(parameter.numel() for parameter in transformer.parameters() if parameter.requires_grad) - 1
    [(_, router)] = found.routers
    for rank, published in TUNABLE.items():
        added = sum(p.numel() for part, name, _ in found.added for p in LowRank(getattr(part, name), rank, 1.0).parameters())
        layer = added + router.weight.numel()
        assert rank > 1 or layer == learns
        assert f"{(12 * layer + CLASSES * (768 + 1)) / 1e6:.4f}" == str(published)


def test_scales_are_k_times_a_softmax_and_fade_to_one() -> None:
    router, x = Router(WIDTH, 4, 0.9, torch.device("cpu")), torch.randn(3, 5, WIDTH)
    assert router(x).equal(torch.ones(3, 5, 4))
    nn.init.normal_(router.weight)
    scales = 4 * (x @ router.weight.T / 5).softmax(dim=-1)
    torch.testing.assert_close(router(x), scales)
    torch.testing.assert_close(router(x).mean(dim=-1), torch.ones(3, 5))
    with torch.no_grad():
        for step in range(3):
            router.after_step()
            torch.testing.assert_close(router.omega, torch.tensor(1 - 0.9 ** (step + 1)))
    torch.testing.assert_close(router(x), router.omega + (1 - router.omega) * scales)
    router.omega.fill_(1.0)
    assert router(x).equal(torch.ones(3, 5, 4))


def test_faded_is_merged_and_merged_has_the_parameters_of_the_original() -> None:
    module = Towers()
    shapes = {name: value.shape for name, value in module.state_dict().items()}
    adapters = adapted(module)
    moved(module)
    dense, routed = embedded(module), embedded(module, evaluate=False)
    assert not torch.allclose(dense, routed, atol=1e-3)
    for _, router in adapters.routers:
        router.omega.fill_(1.0)
    # Attention has another kernel in eval mode.
    torch.testing.assert_close(embedded(module, evaluate=False), dense, rtol=0, atol=1e-6)
    adapters.merge()
    assert embedded(module).equal(dense)
    assert {name: value.shape for name, value in module.state_dict().items()} == shapes
    assert not any(part._forward_hooks for part in module.modules())


def test_what_trains() -> None:
    module = Towers()
    adapted(module)
    learns = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    assert {name.rpartition(".")[2] for name in learns} == {"logit_scale", "A", "B", "weight"}
    assert {name for name in learns if name.endswith("weight")} == {
        f"{tower}.mlp.c_fc.router.weight" for tower in ("image", "text")
    }
    assert not any(name.startswith(("conv", "norm", "words")) for name in learns)


def test_what_cannot_be_grouped() -> None:
    with pytest.raises(KdbenchError, match=r"experts: found 5; expected a divisor of 16, the neurons of image\.mlp"):
        adapted(Towers(), experts=5)
    with pytest.raises(KdbenchError, match="found no FFN in the student, such as c_fc and c_proj in a block; expected a tr"):
        adapted(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 3)))
