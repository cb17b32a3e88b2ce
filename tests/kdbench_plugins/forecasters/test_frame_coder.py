"""The encoder and the decoder of frames."""

from __future__ import annotations

import torch

from kdbench_plugins.forecasters.frame_coder import FrameDecoder, FrameEncoder, beside_frames, separated


def test_frames_are_encoded_and_decoded_one_by_one() -> None:
    torch.manual_seed(0)
    encoder, frames = FrameEncoder(2, 4, periodic=True), torch.randn(2, 3, 2, 8, 8)
    fine, coarse = encoder(frames)
    assert fine.shape == (2, 3, 4, 8, 8)
    assert coarse.shape == (2, 3, 4, 2, 2)
    alone, _ = encoder(frames[1:, 2:])
    torch.testing.assert_close(fine[1, 2], alone[0, 0])
    decoded = FrameDecoder(2, 4, 5, periodic=True)(torch.randn(2, 5 * 4, 2, 2), fine)
    assert decoded.shape == (2, 5, 2, 8, 8)


def test_frames_are_decoded_beside_those_of_the_same_number() -> None:
    assert beside_frames(3, 3) == [0, 1, 2]
    assert beside_frames(2, 3) == [0, 1]
    assert beside_frames(5, 3) == [0, 1, 2, 0, 1]


def test_maps_are_separated_again() -> None:
    frames = torch.randn(2, 3, 1, 4, 4)
    assert torch.equal(separated(frames.flatten(0, 1), frames), frames)
