"""Smoke runs: the same grid and code paths, with models and data shrunk by the plugins themselves.

Their results only show that everything works; leaderboards leave them out.
"""

from __future__ import annotations

from typing import Any

from kdbench.plugins.loading import Kind, Plugins
from kdbench.plugins.parameters import checked_params, nested_specs, with_nested
from kdbench.suite.model import Suite
from kdbench.suite.settings import Train
from kdbench.suite.spec import PluginSpec

PAIRS = 64  # samples per step, at most
VIEWS = 2  # of each image, at most
FOLDS = 3  # at most
SUFFIX = "-smoke"


def smoked(suite: Suite, plugins: Plugins) -> Suite:
    """The suite with one seed, few folds, one epoch of small batches in each stage, and every plugin with the parameters of its
    `smoke`."""

    def small(kind: Kind, spec: PluginSpec) -> Any:
        return spec.replace(params=_params(kind, spec.use, spec.params, plugins))

    return suite.model_copy(
        update={
            "name": suite.name.removesuffix(SUFFIX) + SUFFIX,
            "smoke": True,
            "seeds": suite.seeds[:1],
            "folds": min(FOLDS, suite.folds) if suite.folds else None,
            "datasets": [small("dataset", spec) for spec in suite.datasets],
            "also": [one.replace(dataset=small("dataset", one.dataset)) for one in suite.also],
            "students": [small("student", spec) for spec in suite.students],
            "teachers": {name: small("teacher", spec) for name, spec in suite.teachers.items()},
            "strategies": [small("strategy", spec) for spec in suite.strategies],
            "objective": [small("objective", term) for term in suite.objective],
            "train": _brief(suite.train),
            "stages": [
                stage.replace(
                    settings=stage.settings.model_copy(update={"epochs": None}),
                    objective=tuple(small("objective", term) for term in stage.objective),
                    strategy=stage.strategy and small("strategy", stage.strategy),
                )
                for stage in suite.stages
            ],
        }
    )


def _brief(train: Train) -> Train:
    """One epoch of small batches; still in several pieces and with several views if the suite's are."""
    batch = min(PAIRS, train.batch_size)
    piece = piece_of(train, batch)
    views = train.views and train.views.model_copy(update={"count": min(VIEWS, train.views.count)})
    return train.model_copy(update={"epochs": 1, "batch_size": batch, "micro_batch": piece, "views": views})


def piece_of(train: Train, batch: int) -> int | None:
    """A `micro_batch` for batches of another size, which are cut into several pieces if those of the suite are."""
    if train.micro_batch is None:
        return None
    return min(train.micro_batch, -(-batch // 2) if train.micro_batch < train.batch_size else batch)


def _params(kind: Kind, use: str, params: dict[str, Any], plugins: Plugins) -> dict[str, Any]:
    offer = plugins.find(kind, use).offer
    small = checked_params(offer, offer.smoke(checked_params(offer, params))) if offer.smoke else dict(params)
    found = nested_specs(offer, small)
    return with_nested(small, [(inner, _params(inner.kind, inner.use, inner.params, plugins)) for inner in found])
