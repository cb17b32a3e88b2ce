"""Pictures of a run for its page: of one test query, with its student and the teachers that were evaluated themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kdbench.contracts.shown import Picture
from kdbench.deploy.gallery.models import is_kept, look, teachers_of, without_training
from kdbench.deploy.gallery.opened import Units
from kdbench.plugins.loading import Plugins
from kdbench.records.measured import Measured
from kdbench.storage.cache import Cache


def run_pictures(
    run: Measured, among: Sequence[Measured], units: Mapping[str, Units], plugins: Plugins, cache: Cache
) -> Sequence[Picture]:
    """Still pictures of the test query whose figure is the run's median, as far as the run's task draws any.

    `among` are runs that may be references of the run's teachers, `units` those of each split by its digest. None if the cache
    does not hold what the run was trained to, or its dataset: nothing is trained, and no dataset is made that a record names.
    """
    if not run.task.draws:
        return ()
    name = "teacher" if run.record.spec.reference else "student"
    runs = {name: run, **teachers_of([run], among)}
    if not any(is_kept(one.record, cache) for one in runs.values()):
        return ()
    looked = look(runs, units.get(run.record.split_digest), plugins, without_training(cache))
    outputs = {key: model.outputs for key, model in looked.models.items() if model.outputs is not None}
    if looked.shown is None or name not in outputs:
        return ()
    of = run.task.queries[0]
    figures = run.arrays()[of.array]
    median = int(np.argsort(figures, kind="stable")[len(figures) // 2])
    return [picture for picture in looked.shown.pictures(outputs, of, median) if not picture.moves]
