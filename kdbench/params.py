"""The parameters of a plugin: a pydantic model made from the typed signature of what builds it."""

from __future__ import annotations

import inspect
from functools import cache
from types import SimpleNamespace
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

from kdbench.contracts import Offer, Uses
from kdbench.errors import PluginError

RESERVED = {"use", "name", "coefficient"}  # what a suite writes beside the parameters


@cache
def params_model(offer: Offer[Any]) -> type[BaseModel]:
    """A strict model whose fields are the keyword parameters of `offer.build`, with their types and defaults.

    Raises PluginError where the signature cannot serve as a schema: a parameter without a type, *args, a reserved name.
    """
    fields: dict[str, Any] = {}
    hints = _hints(offer)
    for name, parameter in inspect.signature(offer.build).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise PluginError(f"{offer.name}: its builder takes *{name}; expected named parameters with types")
        if name not in hints:
            raise PluginError(f"{offer.name}: parameter {name!r} of its builder has no type; its type is its schema")
        if name in RESERVED:
            raise PluginError(f"{offer.name}: {name!r} means something else in a suite; rename the parameter")
        fields[name] = (hints[name], ... if parameter.default is parameter.empty else parameter.default)
    config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True, protected_namespaces=())
    model: type[BaseModel] = create_model(offer.name, __config__=config, **fields)
    return model


def nested_uses(offer: Offer[Any]) -> dict[str, Uses]:
    """Parameters that hold another plugin's spec, marked with `Uses`."""
    found = {}
    for name, field in params_model(offer).model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, Uses):
                found[name] = mark
    return found


def _hints(offer: Offer[Any]) -> dict[str, Any]:
    build: Any = offer.build
    function = build.__init__ if inspect.isclass(build) else build
    # Only parameters: a return type may be imported for type checkers alone, and could not be resolved here.
    annotations = {k: v for k, v in getattr(function, "__annotations__", {}).items() if k != "return"}
    try:
        return get_type_hints(
            SimpleNamespace(__annotations__=annotations),
            globalns=getattr(function, "__globals__", {}),
            include_extras=True,
        )
    except NameError as error:
        raise PluginError(f"{offer.name}: a parameter's type cannot be resolved ({error})") from error
