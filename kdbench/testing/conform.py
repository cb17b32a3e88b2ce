"""All that the kit can say of an offer, of whatever kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from kdbench.contracts import Offer
from kdbench.errors import PluginError
from kdbench.plugins.loading import Kind, installed
from kdbench.plugins.parameters import construct
from kdbench.testing import datasets, objectives, strategies, students, teachers
from kdbench.testing.findings import Finding, quoted

Others = Mapping[str, Callable[[], Any]]
BUILT = "can be built"
FIND: dict[Kind, Callable[..., list[Finding]]] = {
    "strategy": strategies.find,
    "objective": objectives.find,
    "dataset": datasets.find,
    "teacher": teachers.find,
    "student": students.find,
}


def conform(
    offer: Offer[Any], kind: Kind, params: Mapping[str, Any] | None = None, others: Others | None = None
) -> list[Finding]:
    """Tries every property of the kind on what is offered, built from `params` or else from the offer's example.

    A strategy is compared with `others`, by name what builds them, by default every other that is installed. Where nothing
    can be built, that is the only finding. Raises PluginError for a kind without properties.
    """
    if kind not in FIND:
        raise PluginError(f"there are no properties of a {kind}; there are of {', '.join(FIND)}")
    build = partial(construct, offer, dict(offer.example if params is None else params))
    try:
        build()
    except Exception as error:  # whatever the plugin raises
        hint = "; an offer whose parameters have no defaults needs an `example`" if params is None and not offer.example else ""
        return [Finding(BUILT, "fails", quoted(error) + hint)]
    if kind == "strategy":
        found = strategies.find(build, offer.waives, installed_others(offer.name) if others is None else others)
    else:
        found = FIND[kind](build, offer.waives)
    return [Finding(BUILT, "holds"), *found]


def installed_others(name: str) -> Others:
    """What builds every installed strategy but one, from its example; those that cannot be built are left out."""
    found: dict[str, Callable[[], Any]] = {}
    for other, listed in installed().offers("strategy").items():
        build = partial(construct, listed.offer, dict(listed.offer.example))
        if other != name:
            try:
                build()
            except Exception:  # its own examination will tell
                continue
            found[other] = build
    return found
