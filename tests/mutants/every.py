"""All mutants."""

from __future__ import annotations

from tests.mutants import of_data, of_records, of_runs, of_statistics, of_tasks, of_training

EVERY = (
    *of_statistics.MUTANTS,
    *of_tasks.MUTANTS,
    *of_training.MUTANTS,
    *of_data.MUTANTS,
    *of_records.MUTANTS,
    *of_runs.MUTANTS,
)
