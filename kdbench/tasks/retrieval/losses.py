"""The task loss and in-batch distributions. Captions and images of one concept are positives of each other."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from kdbench.contracts import Pairs


def pair_losses(pairs: Pairs, same: Tensor) -> Tensor:
    """Symmetric InfoNCE of each pair, [B]: the mean of both directions, with a target uniform over the positives.

    `same` [B, B] is true for pairs of one concept. With one pair per concept this is CLIP's loss (Radford et al. 2021) before
    the mean.
    """
    return losses_of(pairs.logits, same)


def losses_of(scores: Tensor, same: Tensor) -> Tensor:
    """`pair_losses` of given logits [B, B]."""
    target = same / same.sum(dim=1, keepdim=True)
    image_to_text = -(target * scores.log_softmax(dim=1)).sum(dim=1)
    text_to_image = -(target * scores.T.log_softmax(dim=1)).sum(dim=1)
    return (image_to_text + text_to_image) / 2


def sigmoid_losses(pairs: Pairs, same: Tensor) -> Tensor:
    """SigLIP's loss of each pair, [B] (Zhai et al. 2023): every image and text of a batch are a match or not, `same` [B, B].

    The sum of −log σ(±(logit + bias)) over the row and the column of a pair, halved, so that the mean is the sum over all B²
    entries by B, as in the paper. `pairs.bias`, if there is one, is added to the logits.
    """
    scores = pairs.logits if pairs.bias is None else pairs.logits + pairs.bias
    losses = -logsigmoid(torch.where(same, scores, -scores))
    return (losses.sum(dim=1) + losses.sum(dim=0)) / 2


def image_to_text_probs(scores: Tensor) -> Tensor:
    """Each image's distribution over the batch's texts for logits [B, B]; rows sum to 1."""
    return torch.softmax(scores, dim=1)
