"""Carries out the trials of a study, one after the other, until none is left to be taken up."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable
from typing import Any

from kdbench.errors import Diverged, KdbenchError, Skip
from kdbench.records.study_summary import State
from kdbench.runs.execute import Bench
from kdbench.suite.sweep import COSTS
from kdbench.tuning.storage import Claim, Storage
from kdbench.tuning.study import Study
from kdbench.tuning.trial import Attempt, Pruned, attempt

Tell = Callable[[dict[str, Any]], None]


def serve(study: Study, storage: Storage, bench: Bench, tell: Tell) -> None:
    """Tells the events `trial` (with its number, parameters and id) and `trial_ended` (with state, values, reason, seconds)."""
    while (claim := storage.claim(study)) is not None:
        params = claim.draw()
        about = {"number": claim.number, "id": claim.id, "params": params}
        tell({"event": "trial", **about})
        started = time.perf_counter()
        state, reason, done = _carried_out(claim, params, bench)
        seconds = done.seconds if done else round(time.perf_counter() - started, 3)
        values = [(done.costs if goal in COSTS else done.validation)[goal] for goal in study.how.goals] if done else None
        told = {"seconds": seconds} | ({"best_epoch": done.best_epoch} if done else {})
        claim.end(state, values, reason, **told)
        shutil.rmtree(bench.cache.scratch(claim.id), ignore_errors=True)
        tell({"event": "trial_ended", **about, "state": state, "values": values or [], "reason": reason, "seconds": seconds})


def _carried_out(claim: Claim, params: dict[str, Any], bench: Bench) -> tuple[State, str, Attempt | None]:
    """How a trial ended. Only an interrupt, or the end of the process, leaves it as it is."""
    metric = claim.study.how.metric

    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        if metric in metrics and claim.report(epoch, metrics[metric]):
            raise Pruned(f"after epoch {epoch}")

    costs = [goal for goal in claim.study.how.goals if goal in COSTS]
    try:
        return "complete", "", attempt(claim.study.run(params), bench, claim.id, on_epoch, costs)
    except Pruned as end:
        return "pruned", str(end), None
    except Diverged as error:
        return "diverged", str(error), None
    except (KdbenchError, Skip) as error:
        return "failed", str(error), None
    except Exception as error:
        traceback.print_exc()
        return "failed", f"{type(error).__name__}: {error}", None
