"""The single-stream model: what it sees and what it ignores."""

from __future__ import annotations

import torch

from kdbench_plugins.teachers.single_stream import SingleStream


def test_it_ignores_padding_and_sees_both() -> None:
    torch.manual_seed(0)
    single = SingleStream(5, 7, 8, 1, 2).eval()
    images, texts = torch.randn(3, 4, 5), torch.randn(3, 6, 7)
    texts[:, 4:] = 0
    found = single(images, texts)
    torch.testing.assert_close(single(images, texts[:, :4]), found)
    assert not torch.allclose(single(images.flip(0), texts), found)
    assert not torch.allclose(single(images, texts.flip(0)), found)
