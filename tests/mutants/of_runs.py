"""Mutants of runs: the seed, the sealed test split, resume, runs executed once, rounds of a race."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

EXECUTE = "kdbench/runs/execute.py"
LEARN = "kdbench/runs/learn.py"
RESUME = "kdbench/runs/resume.py"
ONCE = "kdbench/runs/once.py"
ROUNDS = "kdbench/engines/rounds.py"
TEACHER_DATA = "kdbench/tasks/retrieval/teacher_data.py"
OF_RESUME = ("tests/runs/test_resume.py",)
OF_ONCE = ("tests/runs/test_once.py::test_a_recorded_run_is_not_executed_again",)
ROUND = "tests/engines/test_rounds.py::test_"
SEED = ("tests/runs/test_learn.py",)
SEALED = ("tests/runs/test_learn.py",)

MUTANTS = (
    # Seeds
    Mutant(
        "initial weights are the same for all seeds",
        LEARN,
        "torch.manual_seed(spec.training_seed)",
        "torch.manual_seed(0)",
        SEED,
    ),
    Mutant(
        "initial weights follow what was drawn before", LEARN, "torch.manual_seed(spec.training_seed)", "torch.rand(1)", SEED
    ),
    Mutant(
        "initial weights are the same in all folds",
        LEARN,
        "torch.manual_seed(spec.training_seed)",
        "torch.manual_seed(spec.seed)",
        SEED,
    ),
    Mutant(
        "heads are the same in all folds",
        LEARN,
        "task.width(student), spec.training_seed,",
        "task.width(student), spec.seed,",
        SEED,
    ),
    Mutant(
        "batches are the same in all folds",
        LEARN,
        "  spec.training_seed,",
        "  spec.seed,",
        SEED,
    ),
    # The sealed test split
    Mutant(
        "the test split is opened before the training",
        LEARN,
        "encodings = dict(data.encodings)",
        'encodings = (dict(data.encodings), data.split("test"))[0]',
        SEALED,
    ),
    Mutant(
        "the test split selects the best epoch",
        LEARN,
        'task.encode(data, student, "validation")',
        'task.encode(data, student, "test")',
        SEALED,
    ),
    Mutant(
        "the test split is encoded before the training",
        LEARN,
        "    task.prepare(data, student)\n".strip(),
        'task.prepare(data, student), task.encode(data, student, "test")',
        SEALED,
    ),
    Mutant(
        "validation is evaluated as test",
        EXECUTE,
        'test = task.encode(data, student, "test")',
        'test = task.encode(data, student, "validation")',
        ("tests/runs/test_execute.py::test_the_weights_kept_give_the_ranks_of_the_record",),
    ),
    Mutant(
        "weights kept are those of another run",
        EXECUTE,
        "weights_identity(spec.run_id, arrays_sha256, context.parts(spec))",
        'weights_identity("", "", context.parts(spec))',
        ("tests/runs/test_execute.py::test_the_weights_kept_give_the_ranks_of_the_record",),
    ),
    Mutant(
        "a teacher sees the test split",
        TEACHER_DATA,
        'if split not in ("train", "validation"):',
        "if not split:",
        ("tests/tasks/retrieval/test_teacher_data.py::test_a_teacher_is_refused_any_other_split",),
    ),
    # Resume
    Mutant("a training resumes on other data", RESUME, "    if then.data != now.data:", "    if not then.data:", OF_RESUME),
    Mutant("another run's training is resumed", RESUME, "    if then.run != now.run:", "    if not then.run:", OF_RESUME),
    Mutant(
        "a training resumes with other code",
        RESUME,
        "*differences(then.parts, now.parts)]",
        "*differences(then.parts, then.parts)]",
        OF_RESUME,
    ),
    Mutant("a training resumes with another torch", RESUME, "        if old != new:", "        if not old:", OF_RESUME),
    # Once
    Mutant(
        "a finished run is executed again",
        ONCE,
        "if record is not None and record.status in DONE and",
        "if record is None and",
        OF_ONCE,
    ),
    Mutant(
        "a redo leaves runs of other code as they are",
        ONCE,
        'return record.status != "ok" or bool(differences(record.parts, parts))',
        'return record.status != "ok"',
        ("tests/runs/test_mended_plugins.py::test_an_edit_is_told_and_redone_and_no_cache_hands_out_what_was_before",),
    ),
    # Rounds of a race
    Mutant(
        "a look sees a seed more",
        ROUNDS,
        "if run.seed < seeds and not",
        "if run.seed <= seeds and not",
        (ROUND + "a_race_that_has_ended_has_the_rounds_that_it_had",),
    ),
    Mutant(
        "rows that have stopped get seeds",
        ROUNDS,
        "return spec.seed in seeds and spec.training.cell_id in going",
        "return spec.seed in seeds",
        (ROUND + "a_row_that_fails_is_left_out_and_the_others_go_on",),
    ),
    Mutant(
        "a race has a run more than its budget",
        ROUNDS,
        "runs > race.runs)",
        "runs > race.runs + 1)",
        (ROUND + "a_budget_of_runs_is_kept_in_whole_seeds",),
    ),
    Mutant(
        "runs that there were do not count in the budget",
        ROUNDS,
        "runs = len(trained & whole.session.records.keys()) + sum(",
        "runs = sum(",
        (ROUND + "a_budget_of_runs_is_kept_in_whole_seeds",),
    ),
    Mutant(
        "a row with a failed run goes on",
        ROUNDS,
        "return [cell for cell in going if cell not in failed]",
        "return list(going)",
        (ROUND + "a_row_that_fails_gets_no_more_before_the_next_look_either",),
    ),
    Mutant(
        "a row that has nothing to be compared with goes on",
        ROUNDS,
        "still += going if len(going) > 1 else []",
        "still += going",
        (ROUND + "a_row_that_is_left_alone_gets_no_more",),
    ),
)
