"""A plugin with one of its parameters changed at a time: what a key must tell apart."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError

from kdbench.contracts import Offer
from kdbench.errors import KdbenchError
from kdbench.plugins.loading import installed
from kdbench.plugins.parameters import check_deeper, checked_params, construct, nested_specs, nested_uses, params_model

Path = tuple[str | int, ...]
NESTED = 4  # parameters that are changed of a plugin in a parameter; its own check changes all
WEIGHTS = "pretrained"  # in the name of a truth value: true downloads


@dataclass(frozen=True)
class Variants:
    """Builders of a plugin as it is and with one parameter changed, by a description of the change such as `width: 8 → 9`.

    `untried` lists parameters for which no other value is known, such as names.
    """

    unchanged: Callable[[], Any]
    changed: Mapping[str, Callable[[], Any]]
    untried: tuple[str, ...] = field(default=())


def variants_of(offer: Offer[Any], params: Mapping[str, Any]) -> Variants:
    """The variants of an offer around `params`, made cheap by the offer's `smoke`, if it has one.

    Values inside maps are changed one by one as well, and a few parameters of plugins in parameters. Only values that the
    plugin's own checks accept are used, and none that would download weights.
    """
    full = checked_params(offer, dict(params))
    if offer.smoke is not None:
        full = checked_params(offer, offer.smoke(full))
    changed: dict[str, Callable[[], Any]] = {}
    untried = []
    for path, value, kind in _leaves(offer, full):
        name = ".".join(map(str, path))
        for other in [] if value is False and WEIGHTS in name else _others(value, kind):
            given = _with(full, path, other)
            if _accepted(offer, given):
                changed[f"{name}: {value!r} → {other!r}"] = partial(construct, offer, given)
                break
        else:
            untried.append(name)
    return Variants(partial(construct, offer, full), changed, tuple(untried))


def _leaves(offer: Offer[Any], params: Mapping[str, Any]) -> Iterator[tuple[Path, Any, Any]]:
    """Paths, values and types of all parameters that are no maps."""
    nested = nested_uses(offer)
    for name, known in params_model(offer).model_fields.items():
        value = params[name]
        if name in nested and not nested[name].several and isinstance(value, dict):
            inner = installed().find(nested[name].kind, value["use"]).offer
            own = checked_params(inner, {key: item for key, item in value.items() if key != "use"})
            changeable = (leaf for leaf in _leaves(inner, own) if _others(*leaf[1:]))
            for path, item, kind in islice(changeable, NESTED):
                yield (name, *path), item, kind
        elif isinstance(value, dict):
            yield from ((path, item, type(item)) for path, item in _inside((name,), value))
        else:
            yield (name,), value, known.annotation


def _inside(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _inside((*path, key), item)
    else:
        yield path, value


def _others(value: Any, kind: Any) -> list[Any]:
    """Other values of a type, the likelier ones first."""
    if get_origin(kind) is Annotated:
        return _others(value, get_args(kind)[0])
    if get_origin(kind) is Literal:
        return [option for option in get_args(kind) if option != value]
    if get_origin(kind) in (Union, types.UnionType):
        return [other for one in get_args(kind) for other in _others(value, one)]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        # Far ones first: a context of one token more may cut no caption differently.
        return [other for other in (value // 2, value * 2, value + 1, value - 1, value + 16) if other != value]
    if isinstance(value, float):
        return [other for other in (value / 2, value * 2, value + 0.5, value + 0.1) if other != value]
    if isinstance(value, list) and value:
        return [[other, *value[1:]] for other in _others(value[0], type(value[0]))]
    return []


def _with(params: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    first, *rest = path
    key = str(first)
    return {**params, key: _with(params[key], tuple(rest), value) if rest else value}


def _accepted(offer: Offer[Any], params: dict[str, Any]) -> bool:
    try:
        check_deeper(offer, checked_params(offer, params))
        for inner in nested_specs(offer, params):
            if not _accepted(installed().find(inner.kind, inner.use).offer, inner.params):
                return False
    except (ValidationError, KdbenchError):
        return False
    return True
