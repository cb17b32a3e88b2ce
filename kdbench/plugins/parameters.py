"""The parameters of a plugin: a pydantic model made from the typed signature of its builder."""

from __future__ import annotations

import copy
import inspect
import json
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from kdbench.contracts import Offer, Uses
from kdbench.errors import PluginError

T = TypeVar("T")
Kind = Literal["dataset", "teacher", "student", "objective", "strategy"]  # of plugins that others hold
RESERVED = {"use", "name", "coefficient"}  # keys of an entry in a suite that are not parameters


@cache
def params_model(offer: Offer[Any]) -> type[BaseModel]:
    """A strict pydantic model whose fields are the keyword parameters of `offer.build`, with types and defaults.

    Raises PluginError if the signature is not a schema: a parameter without a type, a positional-only parameter, *args, a
    reserved name, a default of another type, or a builder that is no class or function.
    """
    fields: dict[str, Any] = {}
    if not callable(offer.build):
        found = type(offer.build).__name__
        raise PluginError(f"{offer.name}: Offer.build is an instance of {found}, expected its class; write Offer(…, {found})")
    hints = _hints(offer)
    for name, parameter in inspect.signature(offer.build).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise PluginError(f"{offer.name}: its builder takes {str(parameter)!r}; expected parameters given by name")
        if name not in hints:
            raise PluginError(f"{offer.name}: parameter {name!r} of its builder has no type; its type is its schema")
        if name in RESERVED or name.startswith("_"):
            raise PluginError(f"{offer.name}: a suite cannot give a parameter called {name!r}; rename it")
        fields[name] = (hints[name], ... if parameter.default is parameter.empty else parameter.default)
    config = ConfigDict(
        extra="forbid",
        strict=True,
        validate_default=True,  # a default of 1 for a float becomes 1.0, like a given 1: equal values, equal run ids
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic warns about fields named `copy` or `schema`, methods that nothing here calls
        model: type[BaseModel] = create_model(offer.name, __config__=config, **fields)
    _check_defaults(offer, model)
    return model


def checked_params(offer: Offer[Any], given: dict[str, Any]) -> dict[str, Any]:
    """All parameters as JSON values, with defaults. Raises pydantic's ValidationError if one is invalid."""
    return _validate(offer, given).model_dump(mode="json")


def default_params(offer: Offer[Any]) -> dict[str, Any]:
    """The defaults of the parameters as JSON values; parameters without one are left out."""
    return params_model(offer).model_construct().model_dump(mode="json", warnings=False)


def construct(offer: Offer[T], params: dict[str, Any]) -> T:
    """Builds the plugin from JSON values; strings are converted to `Path` or enumerations first."""
    return offer.build(**typed_params(offer, params))


def typed_params(offer: Offer[Any], params: dict[str, Any]) -> dict[str, Any]:
    """JSON values as the builder takes them, with defaults. Raises pydantic's ValidationError if one is invalid."""
    values = _validate(offer, params)
    return {name: getattr(values, name) for name in type(values).model_fields}


def check_deeper(offer: Offer[Any], params: dict[str, Any]) -> None:
    """Runs the offer's own check, if it has one. Raises KdbenchError if the check fails."""
    if offer.check is not None:
        offer.check(**typed_params(offer, params))


def nested_uses(offer: Offer[Any]) -> dict[str, Uses]:
    """The parameters that hold another plugin's spec (marked with `Uses`)."""
    found = {}
    for name, field in params_model(offer).model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, Uses):
                found[name] = mark
    return found


@dataclass(frozen=True)
class Nested:
    """A plugin that another one holds: where in its parameters, its kind, the offer's name and its own parameters."""

    path: tuple[str | int, ...]
    kind: Kind
    spec: dict[str, Any]

    @property
    def use(self) -> str:
        return str(self.spec["use"])

    @property
    def params(self) -> dict[str, Any]:
        return {name: value for name, value in self.spec.items() if name not in RESERVED}


def nested_specs(offer: Offer[Any], params: Mapping[str, Any], checked: bool = True) -> list[Nested]:
    """The plugins that parameters hold. Unless `checked` is false, what is no spec with `use:` is left out."""
    found: list[Nested] = []
    for name, mark in nested_uses(offer).items():
        value = params.get(name)
        if not mark.several:
            found += [] if value is None else [Nested((name,), mark.kind, value)]
        elif isinstance(value, dict | list):
            items: list[tuple[str | int, Any]] = list(value.items() if isinstance(value, dict) else enumerate(value))
            found += [Nested((name, key), mark.kind, item) for key, item in items]
    return [one for one in found if not checked or (isinstance(one.spec, dict) and isinstance(one.spec.get("use"), str))]


def with_nested(params: Mapping[str, Any], specs: Iterable[tuple[Nested, Mapping[str, Any]]]) -> dict[str, Any]:
    """Parameters in which plugins are replaced by other specs; a coefficient stays."""
    changed: dict[str, Any] = copy.deepcopy(dict(params))
    for nested, spec in specs:
        *outer, last = nested.path
        inside: Any = changed
        for key in outer:
            inside = inside[key]
        kept: dict[str, Any] = {name: nested.spec[name] for name in ("use", "coefficient") if name in nested.spec}
        inside[last] = kept | dict(spec)
    return changed


def _validate(offer: Offer[Any], given: dict[str, Any]) -> BaseModel:
    # Through JSON: pydantic's strict mode then accepts lists for tuples and strings for paths, as YAML writes them.
    return params_model(offer).model_validate_json(json.dumps(given, default=os.fspath))


def _check_defaults(offer: Offer[Any], model: type[BaseModel]) -> None:
    """Raises PluginError for a default that is not of its parameter's type; a suite would be blamed for it."""
    try:
        model.model_validate_json("{}")
    except ValidationError as error:
        for item in error.errors():
            name = str(item["loc"][0])
            if item["type"] != "missing":
                default, kind = model.model_fields[name].default, model.model_fields[name].annotation
                typed = getattr(kind, "__name__", str(kind))
                hint = f"; write {name}: {typed} | None = None" if default is None else ""
                raise PluginError(
                    f"{offer.name}: the default {default!r} of {name} is no {typed} ({item['msg']}){hint}"
                ) from error


def _hints(offer: Offer[Any]) -> dict[str, Any]:
    build: Any = offer.build
    function = build.__init__ if inspect.isclass(build) else build
    # Parameters only: a return type may be imported only for type checkers and then cannot be resolved here.
    annotations = {k: v for k, v in getattr(function, "__annotations__", {}).items() if k != "return"}
    try:
        return get_type_hints(
            SimpleNamespace(__annotations__=annotations),
            globalns=getattr(function, "__globals__", {}),
            include_extras=True,
        )
    except NameError as error:
        name, type_name = _unresolved(annotations, error)
        raise PluginError(
            f"{offer.name}: a parameter's type cannot be resolved ({error}): `{name}`; import {type_name} outside "
            "`if TYPE_CHECKING`"
        ) from error


def _unresolved(annotations: dict[str, Any], error: NameError) -> tuple[str, str]:
    """The first parameter whose type mentions the unknown name, and that name."""
    missing = error.name or ""
    named = [name for name, value in annotations.items() if isinstance(value, str) and missing in value]
    return (named[0] if named else "?"), missing
