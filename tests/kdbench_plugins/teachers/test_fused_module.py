"""The trained part of a fused teacher: which loss moves what."""

from __future__ import annotations

import torch

from kdbench_plugins.teachers.fused_module import FusedModule
from kdbench_plugins.teachers.single_stream import SingleStream
from tests.support.toys import batch_of, random_pairs


def test_each_loss_has_its_own_parameters() -> None:
    torch.manual_seed(0)
    module = FusedModule(SingleStream(5, 7, 8, 1, 2), 4, [(4, 5), (6, 7)], 10.0)
    pairs = random_pairs(6, 4, dtype=torch.float32)
    images, texts = (torch.cat([own, torch.randn(6, count)], dim=1) for own, count in ((pairs.image, 20), (pairs.text, 42)))
    views = module.encode_views(images, texts)
    torch.testing.assert_close(views[0], pairs.image)
    (views[0] * pairs.text).sum().backward()  # type: ignore[no-untyped-call]
    assert {name for name, p in module.named_parameters() if p.grad is not None} == {"image_projection.weight"}
    module.auxiliary_loss(views, batch_of(torch.arange(6))).backward()  # type: ignore[no-untyped-call]
    learned = {name for name, p in module.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert "score.weight" in learned
    assert "text_projection.weight" not in learned
    assert "fusion.first" in learned


def test_tokens_are_read_as_they_were_put_beside() -> None:
    module = FusedModule(SingleStream(5, 7, 8, 1, 2), 4, [(4, 5), (6, 7)], 10.0)
    x, y = torch.randn(2, 4, 5), torch.randn(2, 6, 7)
    images, texts = (torch.cat([torch.randn(2, 4), tokens.flatten(1)], dim=1) for tokens in (x, y))
    found = module.tokens(images, texts)
    assert torch.equal(found[0], x)
    assert torch.equal(found[1], y)
