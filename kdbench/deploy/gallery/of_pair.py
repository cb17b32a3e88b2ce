"""The models of two rows that are compared, of one seed each; in cross-validation for every fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kdbench.deploy.export.load import weights_kept
from kdbench.deploy.gallery.models import look
from kdbench.deploy.gallery.opened import Units
from kdbench.plugins.loading import Plugins
from kdbench.records.measured import Measured
from kdbench.reports.gallery.cards import Looked
from kdbench.statistics.explain import Explanation, Query
from kdbench.storage.cache import Cache


def look_at_pair(
    explained: Explanation,
    a: Sequence[Measured],
    b: Sequence[Measured],
    units: Mapping[str, Units],
    plugins: Plugins,
    cache: Cache,
) -> tuple[Callable[[Query], Looked], list[str]]:
    """By query its test split with the models `A` and `B`, and notes on what is shown; `units` by `Record.split_digest`."""
    folds = dict.fromkeys(query.fold for query in (*explained.gained, *explained.lost))
    looked, notes = {}, []
    for fold in folds:
        pair = of_one_seed(explained.seeds, _of_fold(a, fold), _of_fold(b, fold), cache)
        found = looked[fold] = look(pair, units.get(pair["A"].record.split_digest), plugins, cache)
        notes += found.notes
        if any(model.top for model in found.models.values()):
            seeds = {run.seed for run in pair.values() if not run.record.spec.reference}
            told = [f"outputs of A and B are of seed {', '.join(map(str, sorted(seeds)))}"] if seeds else []
            told += ["✓ marks what is right"] if next(iter(pair.values())).task.searches else []
            notes += ["; ".join(told)] if told else []
    return lambda query: looked[query.fold], list(dict.fromkeys(notes))


def of_one_seed(seeds: Sequence[int], a: Sequence[Measured], b: Sequence[Measured], cache: Cache) -> dict[str, Measured]:
    """The runs `A` and `B` of one seed of two rows: of the first whose weights are kept, otherwise of the first of `seeds`."""
    pairs = [{"A": _of_seed(a, seed), "B": _of_seed(b, seed)} for seed in seeds]

    def kept(run: Measured) -> bool:
        return run.record.spec.reference or weights_kept(run.record, cache)

    return next((pair for pair in pairs if all(map(kept, pair.values()))), pairs[0])


def _of_seed(runs: Sequence[Measured], seed: int) -> Measured:
    """A reference is the same for all seeds."""
    return next((run for run in runs if run.seed == seed), runs[0])


def _of_fold(runs: Sequence[Measured], fold: int | None) -> list[Measured]:
    return [run for run in runs if (run.record.spec.fold.index if run.record.spec.fold else None) == fold]
