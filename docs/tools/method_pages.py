"""The method pages: formula, source, status and parameters of every plugin that ships, as its offer states them."""

from __future__ import annotations

import inspect
from typing import Any

import yaml

from docs.tools.blocks import cell, table
from kdbench.contracts import Offer
from kdbench.plugins.describe import STATUSES, parameter_rows
from kdbench.plugins.loading import Kind, Listed, Plugins
from kdbench_plugins.reports.site.mathml import parts

PROVIDER = "kdbench:"


def overview(kind: Kind, plugins: Plugins) -> str:
    """One line for each plugin of a kind."""
    formulas = any(listed.offer.formula for listed in _own(kind, plugins).values())
    rows = []
    for name, listed in _own(kind, plugins).items():
        offer = listed.offer
        link = f"[`{name}`](#{anchor(kind, name)})"
        rows.append(
            [
                link,
                cell((_formula(offer) or offer.summary) if formulas else offer.summary),
                *([cell(_escaped(offer.source)), offer.status] if formulas else []),
            ]
        )
    heads = [kind, *(["weights" if kind == "strategy" else "definition", "source", "status"] if formulas else ["summary"])]
    return table(heads, rows)


def methods(kind: Kind, plugins: Plugins) -> str:
    """A section for each plugin of a kind."""
    return "\n\n".join(_section(kind, listed) for listed in _own(kind, plugins).values())


def anchor(kind: Kind, name: str) -> str:
    """The section's anchor, stable whatever the slug rules."""
    return f"{kind}-{name.replace(':', '-').replace('_', '-')}"


def _own(kind: Kind, plugins: Plugins) -> dict[str, Listed]:
    return {name: listed for name, listed in plugins.offers(kind).items() if listed.provider.startswith(PROVIDER)}


def _section(kind: Kind, listed: Listed) -> str:
    offer = listed.offer
    parts = [f"### {offer.name} {{ #{anchor(kind, offer.name)} }}", f"{_sentence(offer.summary)}"]
    facts = {"Formula": _formula(offer), "Source": _escaped(offer.source), "Status": STATUSES.get(offer.status, "")}
    parts.append("\n".join(f"- **{name}**: {text}" for name, text in facts.items() if text))
    told = inspect.getdoc(offer.build)
    if told and not inspect.isabstract(offer.build):
        parts.append(_escaped(told))
    rows = [[f"`{name}`", f"`{cell(type_)}`", f"`{cell(default)}`"] for name, type_, default in parameter_rows(offer)]
    parts.append(table(["parameter", "type", "default"], rows) if rows else "It takes no parameters.")
    if kind not in ("tracker", "engine", "exporter", "report", "attribution", "task"):
        example = {"use": offer.name, **(offer.shown or offer.example)}
        shown = yaml.safe_dump(example, default_flow_style=True, sort_keys=False, allow_unicode=True, width=100).strip()
        parts.append(f"In a suite: `{' '.join(shown.split())}`")
    return "\n\n".join(part for part in parts if part)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") or not text else ".")


def _formula(offer: Offer[Any]) -> str:
    """In LaTeX between dollar signs, which code hosts draw, too; in plain text without."""
    if not offer.latex:
        return _escaped(offer.formula)
    return " ".join(f"${_unescaped(text)}$" if math else _escaped(text) for math, text in parts(offer.latex))


def _unescaped(latex: str) -> str:
    """Without backslashes before punctuation, which Markdown of some code hosts takes for its own."""
    for written, plain in ((r"\,", "~"), (r"\;", "~"), (r"\{", r"\lbrace "), (r"\}", r"\rbrace ")):
        latex = latex.replace(written, plain)
    return latex


def _escaped(text: str) -> str:
    """Mathematics keeps its asterisks and underscores; code spans are left alone."""
    pieces = text.split("`")
    escape = str.maketrans({"*": r"\*", "_": r"\_", "<": "&lt;"})
    return "`".join(piece if place % 2 else piece.translate(escape) for place, piece in enumerate(pieces))
