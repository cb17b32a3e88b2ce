"""Internals: what a model computes between its inputs and its outputs, for objectives that compare models there.

Hidden states, attention maps and feature maps are such. A name stands for tensors [B, …], one a layer, the first layer first.
An objective says which it reads (`Objective.internals`); only then are they read, and a run whose objective reads none is
the same, bit for bit. Names are free, as long as student and teacher have them in common; those of kdbench's own plugins are:

- `maps`: feature maps [B, C, H, W]; of image-text models those of the image tower.
- `text_hidden`: states of all tokens after each layer of a text tower, [B, L, d]; `text_words`: 1 for tokens up to the end
  of the caption, 0 for padding, [B, L], a single tensor.
- `text_attention`, `image_attention`: attention weights of each layer, [B, heads, L, L], rows summing to 1.

A student's are read by hooks during the forward pass that computes its outputs, which stay the same bit for bit. Losses are
computed on copies, as of outputs, and one backward goes through the student. Gradients per teacher, which strategies read, are
taken at outputs and internals together.

A teacher's are part of its `TeacherOutputs`. Those of image-text teachers are computed in every step, by the frozen model from
pixels and tokens that are stored as for a teacher with a live part: internals are too large to store. Those of a ViT-B/16 are
3.6 MB a picture in float16, where its embedding has 1 kB. A task whose internals are small may store them like embeddings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from kdbench.contracts.student import Student
    from kdbench.contracts.teacher import Towers

    # The tensors of a batch by name, one [B, …] for each layer.
    Internals: TypeAlias = Mapping[str, Sequence[Tensor]]

# Their shapes without the first axis, such as {"maps": [(64, 6, 6), (128, 3, 3)]}.
Shapes: TypeAlias = Mapping[str, Sequence[tuple[int, ...]]]


def output_of(args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:  # noqa: ARG001
    """What a part has returned."""
    return output


@dataclass(frozen=True)
class Tap:
    """Where an internal of a module is read: each time that `part` has run, from its arguments and what it returned.

    `read(args, kwargs, output)` returns a tensor [B, …] with its graph, by default the output, and changes nothing.
    """

    part: Module
    read: Callable[[tuple[Any, ...], dict[str, Any], Any], Tensor] = output_of


Taps: TypeAlias = Mapping[str, Sequence[Tap]]  # by name, one for each layer


class ExposingTeacher(Protocol):
    """A teacher of image-text retrieval whose internals can be read: it has these members beside those of `Teacher`.

    For teachers of another plugin, a hook may give an object that has them (`kdbench_exposing_teacher`).
    """

    @property
    def exposes(self) -> Collection[str]:
        """The names of its internals, known before it is prepared."""
        ...

    def exposed(self, towers: Towers) -> Student:
        """Its model, whose weights are frozen and whose encoders are of what the model reads. The model has taps.

        `towers` are those that the teacher was prepared to.
        """
        ...
