"""Squared distances per sample, [B], between a student's and a teacher's internals of one layer each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import normalize

from kdbench_plugins.internals.clip_taps import TEXT_ATTENTION, TEXT_WORDS
from kdbench_plugins.objectives.resized import resized

if TYPE_CHECKING:
    from kdbench.contracts.internals import Internals

Project = Callable[[Tensor], Tensor]


def map_distances(student: Internals, teacher: Internals, name: str, own: int, aim: int, project: Project) -> Tensor:
    """Of feature maps [B, C, H, W], averaged over the positions of the student's."""
    maps = student[name][own]
    target = resized(teacher[name][aim], maps.shape[-2:])
    return unit_distances(project(positions(maps)), positions(target)).mean(dim=1)


def word_distances(student: Internals, teacher: Internals, name: str, own: int, aim: int, project: Project) -> Tensor:
    """Of states of tokens [B, L, d], averaged over the words that both read."""
    words = common_words(student, teacher)
    length = words.shape[1]
    return mean_of(unit_distances(project(student[name][own][:, :length]), teacher[name][aim][:, :length]), words)


def attention_distances(student: Internals, teacher: Internals, name: str, own: int, aim: int) -> Tensor:
    """Of attention weights [B, heads, L, L] averaged over heads, averaged over rows: in a text tower, those of words."""
    maps = student[name][own].mean(dim=1), teacher[name][aim].mean(dim=1)
    if name != TEXT_ATTENTION:
        return (maps[0] - maps[1]).square().sum(dim=2).mean(dim=1)
    words = common_words(student, teacher)
    length = words.shape[1]
    rows = (maps[0][:, :length, :length] - maps[1][:, :length, :length]).square().sum(dim=2)
    return mean_of(rows, words)


def common_words(student: Internals, teacher: Internals) -> Tensor:
    """[B, L]: 1 for words of both, up to the shorter context."""
    masks = student[TEXT_WORDS][0], teacher[TEXT_WORDS][0]
    length = min(mask.shape[1] for mask in masks)
    return (masks[0][:, :length] * masks[1][:, :length]).detach()


def mean_of(values: Tensor, words: Tensor) -> Tensor:
    """The mean of values [B, L] over words, 0 without any."""
    return (values * words).sum(dim=1) / words.sum(dim=1).clamp_min(1)


def positions(maps: Tensor) -> Tensor:
    """Maps [B, C, H, W] as [B, H·W, C]."""
    return maps.flatten(2).transpose(1, 2)


def unit_distances(one: Tensor, other: Tensor) -> Tensor:
    """[B, L]: squared distances of vectors [B, L, d] of length one."""
    return (normalize(one, dim=-1) - normalize(other, dim=-1)).square().sum(dim=-1)
