"""Low-rank additions to the weights of a module."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kdbench_plugins.students.low_rank import Adapters, LowRank, weights_of
from tests.support.adapted import HIDDEN, WIDTH, Towers, embedded, inputs, moved
from tests.support.toys import bits


def adapted(module: Towers, rank: int = 2, scale: float = 0.5, linear: bool = False) -> Adapters:
    return Adapters(module, weights_of(module), lambda weight: LowRank(weight, rank, scale, linear))


def test_it_is_the_sum_of_the_weight_and_of_a_product() -> None:
    addition, weight = LowRank(torch.zeros(4, 3, 2, 2), 2, 0.5), torch.rand(4, 3, 2, 2)
    assert (addition.A.shape, addition.B.shape) == ((2, 12), (4, 2))
    assert addition(weight).equal(weight)
    torch.nn.init.normal_(addition.B)
    torch.testing.assert_close(addition(weight), weight + 0.5 * (addition.B @ addition.A).reshape(4, 3, 2, 2))


def test_linear_layers_convolutions_and_attention_have_weights() -> None:
    found = [f"{name}.{weight}" for name, _, weight in weights_of(Towers())]
    block = ["attn.in_proj_weight", "attn.out_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight"]
    assert found == ["conv.weight", *(f"{tower}.{name}" for tower in ("image", "text") for name in block)]


def test_a_layer_with_an_addition_is_the_layer_and_a_path_beside_it() -> None:
    layer = nn.Linear(5, 4)
    x, weight, bias = torch.rand(7, 5), layer.weight.detach().clone(), layer.bias.detach()
    layer.logit_scale = nn.Parameter(torch.zeros(()))
    found = Adapters(layer, weights_of(layer), lambda weight: LowRank(weight, 2, 0.5))
    [(_, _, addition)] = found.added
    torch.nn.init.normal_(addition.B)
    torch.testing.assert_close(layer(x), x @ weight.T + bias + 0.5 * x @ addition.A.T @ addition.B.T)


def test_nothing_but_the_additions_and_the_logit_scale_trains() -> None:
    module = Towers()
    adapted(module)
    learns = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    assert learns == {"logit_scale"} | {name for name, _ in module.named_parameters() if name.endswith((".A", ".B"))}
    block = 2 * (4 * WIDTH + 2 * WIDTH + 2 * (WIDTH + HIDDEN))  # twice the rank
    assert sum(p.numel() for p in module.parameters() if p.requires_grad) == 1 + 2 * (WIDTH + 27) + 2 * block


@pytest.mark.parametrize("linear", [False, True])
def test_what_is_frozen_is_equal_to_the_bit_after_a_step(linear: bool) -> None:
    module = Towers()
    before = bits(module.state_dict())
    adapters = adapted(module, linear=linear)
    optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=0.1)
    images, texts = inputs()
    module.train()
    for _ in range(2):  # B moves in the first step, A in the second
        (module.encode_image(images) - module.encode_text(texts)).square().sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    after = {name.replace(".original", "").replace("parametrizations.", ""): v for name, v in module.state_dict().items()}
    assert {name: value for name, value in bits(after).items() if name in before and name != "logit_scale"} == {
        name: value for name, value in before.items() if name != "logit_scale"
    }
    assert all(addition.B.abs().sum() > 0 for _, _, addition in adapters.added)


def test_merged_is_unmerged_to_the_bit() -> None:
    module = Towers()
    names, plain = set(module.state_dict()), embedded(module)
    adapters = adapted(module)
    assert embedded(module).equal(plain), "B = 0"
    moved(module)
    expected = embedded(module)
    assert not torch.allclose(expected, plain, atol=1e-3)
    adapters.merge()
    assert embedded(module).equal(expected)
    assert set(module.state_dict()) == names
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert not any(part._forward_pre_hooks for part in module.modules())
    adapters.merge()
    assert embedded(module).equal(expected), "merged twice"


def test_attached_again_the_additions_have_the_same_values() -> None:
    module = Towers()
    adapters = adapted(module)
    before = bits(module.state_dict())
    adapters.merge()
    adapters.attach()
    assert bits(module.state_dict()) == before


def test_batch_norms_use_the_statistics_of_the_base() -> None:
    module = Towers()
    adapted(module)
    assert torch.allclose(embedded(module, evaluate=False), embedded(module), atol=1e-6)
