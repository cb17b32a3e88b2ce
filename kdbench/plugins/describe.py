"""The description of a plugin, for `kdbench plugins NAME` and for the documentation."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from tabulate import tabulate

from kdbench.contracts import Offer
from kdbench.plugins.loading import Kind, Listed, Plugins
from kdbench.plugins.parameters import params_model

STATUSES = {
    "published": "published",
    "reconstruction": "reconstruction: its source leaves something open",
    "library": "another library's code",
}


OWN = "kdbench"  # the package whose plugins ship
SUMMARY, SHORTEST = 3, 24  # the column that is wrapped, and its least width in characters
SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "multiple_of": "multiple of"}


def plugin_table(rows: Sequence[tuple[Kind, Listed]], width: int | None) -> str:
    """A line for each plugin. With a `width` in characters, summaries continue on further lines where they do not fit.

    Of kdbench's own plugins the entry point is left out.
    """
    heads = ("kind", "name", "status", "summary", "from")
    cells = [
        (kind, one.offer.name, one.offer.status, one.offer.summary, one.package if one.package == OWN else one.provider)
        for kind, one in rows
    ]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    fixed = sum(widths) - widths[SUMMARY] + 2 * (len(heads) - 1)
    most = [None, None, None, max(width - fixed, SHORTEST), None] if cells and width else None
    return tabulate(cells, headers=heads, maxcolwidths=most, disable_numparse=True)


def describe(kind: Kind, listed: Listed) -> str:
    """Formula, source, status, parameters with types and defaults, and an example for a suite."""
    offer = listed.offer
    status = STATUSES.get(offer.status, "")
    facts = {"formula": offer.formula, "source": offer.source, "status": status, "from": listed.provider}
    lines = [f"{kind} {offer.name}: {offer.summary}", ""]
    lines += [f"  {name:<9} {text}" for name, text in facts.items() if text]
    documentation = inspect.getdoc(offer.build)
    lines += ["", documentation] if documentation and not inspect.isabstract(offer.build) else []
    rows = parameter_rows(offer)
    table = tabulate(rows, headers=["parameter", "type", "default"], disable_numparse=True)
    lines += ["", table if rows else "It takes no parameters."]
    example = {"use": offer.name, **(offer.shown or offer.example)}
    import yaml

    shown = yaml.safe_dump(example, default_flow_style=True, sort_keys=False, allow_unicode=True, width=200).strip()
    if kind != "tracker":
        lines += ["", f"In a suite: {shown}"]
    if offer.waives:
        lines += ["", "Properties of the conformance kit that do not apply:"]
        lines += [f"  {name}: {reason}" for name, reason in offer.waives.items()]
    return "\n".join(lines)


def parameter_rows(offer: Offer[Any]) -> list[tuple[str, str, str]]:
    """Name, type and default of each parameter, in readable form."""
    return [(name, _type(field), _default(field)) for name, field in params_model(offer).model_fields.items()]


def methods(kind: Kind, plugins: Plugins, provider: str = "") -> str:
    """A Markdown table of the plugins of a kind from providers that start with `provider`."""
    rows = [
        [f"`{name}`", _cell(listed.offer.formula or listed.offer.summary), _cell(listed.offer.source), listed.offer.status]
        for name, listed in plugins.offers(kind).items()
        if listed.provider.startswith(provider)
    ]
    what = "weights" if kind == "strategy" else "definition"
    return tabulate(rows, headers=[kind, what, "source", "status"], tablefmt="github")


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _type(field: FieldInfo) -> str:
    """`float, > 0, ≤ 1` of `Annotated[float, Field(gt=0, le=1)]`."""
    return ", ".join([_name(field.annotation), *_limits(field.metadata)])


def _limits(metadata: Iterable[Any]) -> list[str]:
    """`≥ 10` of what `Field(ge=10)` or `Annotated` holds."""
    flat = [one for mark in metadata for one in (mark.metadata if isinstance(mark, FieldInfo) else [mark])]
    return [f"{sign} {getattr(mark, name)}" for mark in flat for name, sign in SIGNS.items() if hasattr(mark, name)]


def _name(annotation: Any) -> str:
    """`none | l2` of `Literal["none", "l2"]`, `int ≥ 1 | null` of `Annotated[int, Field(ge=1)] | None`."""
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, get_args(annotation)))
    if get_origin(annotation) in (Union, UnionType):
        return " | ".join(map(_name, get_args(annotation)))
    if annotation is type(None):
        return "null"
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return " ".join([_name(inner), " ".join(_limits(metadata))]).strip()
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    if isinstance(get_origin(annotation), type):
        return f"{get_origin(annotation).__name__}[{', '.join(map(_name, get_args(annotation)))}]"
    return str(annotation).replace("typing.", "")


def _default(field: FieldInfo) -> str:
    return "required" if field.is_required() else str(field.default)
