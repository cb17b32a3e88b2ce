"""Mutants of what records say and how they are checked: ids, protocols, parts, verify."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SPEC = "kdbench/suite/spec.py"
PROTOCOL = "kdbench/records/protocol.py"
PARTS = "kdbench/records/parts.py"
FIELDS = "kdbench/records/verify/record_fields.py"
ARRAYS = "kdbench/records/verify/stored_arrays.py"
TRACE = "kdbench/records/verify/stored_trace.py"
WEIGHTS = "kdbench/records/verify/weights.py"
ACROSS = "kdbench/records/verify/across_records.py"
UNITS = "kdbench/records/verify/units.py"
RANKS = "kdbench/tasks/retrieval/check_arrays.py"
OF_SPEC = ("tests/suite/test_spec.py",)
OF_PROTOCOL = ("tests/records/test_protocol.py",)
OF_FIELDS = ("tests/records/verify/test_record_fields.py",)
OF_ARRAYS = ("tests/records/verify/test_stored_arrays.py",)
OF_TRACE = ("tests/records/verify/test_stored_trace.py",)
OF_WEIGHTS = ("tests/records/verify/test_weights.py",)
OF_ACROSS = ("tests/records/verify/test_across_records.py",)
OF_UNITS = ("tests/records/verify/test_units.py",)

MUTANTS = (
    # Ids and protocols
    Mutant(
        "runs of all seeds are one", SPEC, '{**self._cell, "seed": str(self.seed), **fold}', "{**self._cell, **fold}", OF_SPEC
    ),
    Mutant("runs of all folds are one", SPEC, '"seed": str(self.seed), **fold}', '"seed": str(self.seed)}', OF_SPEC),
    Mutant(
        "cells of all students are one", SPEC, '            "student": self.student,\n'.strip(), '"student": None,', OF_SPEC
    ),
    Mutant(
        "trainings of all folds draw alike",
        SPEC,
        'digest_of(["fold", self.seed, self.fold.index])',
        'digest_of(["fold", self.seed])',
        OF_SPEC,
    ),
    Mutant(
        "trainings of folds draw alike for all seeds",
        SPEC,
        'digest_of(["fold", self.seed, self.fold.index])',
        'digest_of(["fold", self.fold.index])',
        OF_SPEC,
    ),
    Mutant(
        "a parameter at its default is part of an id",
        SPEC,
        "if path not in defaults or not _same(value, default):",
        "if value is not None or not _same(value, default):",
        OF_SPEC,
    ),
    Mutant(
        "rows of all datasets compare",
        PROTOCOL,
        "digest_of([self.dataset_digest or self.dataset, self.split,",
        "digest_of([self.split,",
        OF_PROTOCOL,
    ),
    Mutant(
        "rows of all budgets compare",
        PROTOCOL,
        "budgets = [self.budget.model_dump(), self.tuning",
        "budgets = [self.tuning",
        OF_PROTOCOL,
    ),
    Mutant(
        "tuned and untuned rows compare", PROTOCOL, "self.tuning.model_dump() if self.tuning else None]", "None]", OF_PROTOCOL
    ),
    Mutant(
        "rows of all tasks compare",
        PROTOCOL,
        "self.split, self.task.canonical, self.smoke",
        "self.split, self.smoke",
        OF_PROTOCOL,
    ),
    Mutant(
        "other files count as the same",
        PARTS,
        "self.content != now.content:",
        "self.content is now.content is None:",
        ("tests/records/test_parts.py",),
    ),
    Mutant(
        "weights of all code are one in the cache",
        PARTS,
        "for name, part in parts.items()})} if parts else {}",
        "for name, part in list(parts.items())[:0]})} if parts else {}",
        ("tests/runs/test_mended_plugins.py::test_the_weights_of_a_run_are_those_of_its_own_code",),
    ),
    # Verify
    Mutant("an id need not follow from the spec", FIELDS, "if stated != expected:", "if not stated:", OF_FIELDS),
    Mutant(
        "any epoch may be the best",
        FIELDS,
        "not first <= record.best_epoch <= epochs:",
        "not first <= record.best_epoch:",
        OF_FIELDS,
    ),
    Mutant(
        "a failed run may have figures",
        FIELDS,
        "elif record.metrics or record.arrays_sha256 or record.trace_sha256:",
        "elif record.trace_sha256:",
        OF_FIELDS,
    ),
    Mutant(
        "a metric may be outside its range",
        FIELDS,
        "if not low - EXACT <= metrics[metric.name] <= high + EXACT or",
        "if",
        OF_FIELDS,
    ),
    Mutant(
        "weights may be of another team",
        FIELDS,
        "if sorted(record.weights) != sorted(spec.teachers):",
        "if len(record.weights) != len(spec.teachers):",
        OF_FIELDS,
    ),
    Mutant("metrics may differ from the arrays by a thousandth", ARRAYS, "- value) <= EXACT:", "- value) <= 1e-3:", OF_ARRAYS),
    Mutant("weights may differ from the trace by a tenth", TRACE, "ROUNDED = 1e-6", "ROUNDED = 1e-1", OF_TRACE),
    Mutant("a trace may end early", TRACE, "if last != record.steps:", "if last > (record.steps or 0):", OF_TRACE),
    Mutant("mean weights may have any sum", WEIGHTS, "(abs(total - 1) <= CLOSE and", "(abs(total - 1) <= 10 and", OF_WEIGHTS),
    Mutant(
        "mean weights may be negative",
        WEIGHTS,
        "and min(weights.values()) >= -CLOSE)",
        "and min(weights.values()) >= -1)",
        OF_WEIGHTS,
    ),
    Mutant(
        "half of the records decide on a dataset",
        ACROSS,
        "decided = 2 * count > len(group)",
        "decided = 2 * count >= len(group)",
        OF_ACROSS,
    ),
    Mutant("a run may have two records", ACROSS, "if known[0] is not file:", "if known[0] is None:", OF_ACROSS),
    Mutant(
        "a row may be of old and new code",
        ACROSS,
        "if record.started > known[1].started:",
        "if record.started < known[1].started:",
        OF_ACROSS,
    ),
    Mutant(
        "test units may differ between folders",
        UNITS,
        "not all(np.array_equal(known[name], units[name]) for name in units)",
        "not units",
        OF_UNITS,
    ),
    Mutant(
        "ranks may exceed the candidates",
        RANKS,
        "elif found.min() < 1 or found.max() > candidates:",
        "elif found.min() < 1:",
        OF_ARRAYS,
    ),
    Mutant("ranks may be of fewer queries", RANKS, "elif len(found) != queries:", "elif len(found) > queries:", OF_ARRAYS),
    Mutant("RSUM need not be a sum", RANKS, "if not abs(metrics[name] - value) <= EXACT:", "if not value <= total:", OF_FIELDS),
)
