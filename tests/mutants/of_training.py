"""Mutants of what a training does: seeds, weights of teachers, the best epoch, resume."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LOOP = "kdbench/training/loop.py"
LEARNER = "kdbench/training/learner.py"
STEP = "kdbench/training/step.py"
TEAM = "kdbench/training/team.py"
STAGE = "kdbench/training/stage.py"
AVERAGE = "kdbench/training/average.py"
EVALUATION = "kdbench/training/evaluation.py"
SIGNAL = "kdbench/training/signal.py"
OF_STEP = ("tests/training/test_step.py",)
OF_TEAM = ("tests/training/test_team.py",)
OF_AVERAGE = ("tests/training/test_average.py",)
OF_SIGNAL = ("tests/training/test_signal.py",)
LOOPS = "tests/training/test_loop.py::test_"
DRAWS = (LOOPS + "what_a_strategy_draws_is_not_what_the_student_draws",)
RESUMED = (LOOPS + "an_interrupted_run_ends_as_if_it_had_not_been",)
AVERAGED = (LOOPS + "an_interrupted_run_with_an_average_in_pieces_ends_as_if_it_had_not_been",)
BEST = (LOOPS + "the_student_is_left_at_its_best_epoch",)

MUTANTS = (
    # Seeds
    Mutant(
        "heads are the same for all seeds",
        TEAM,
        'digest_of([seed, "heads", teacher.name])',
        'digest_of(["heads", teacher.name])',
        OF_TEAM,
    ),
    Mutant(
        "heads are the same for all teachers",
        TEAM,
        'digest_of([seed, "heads", teacher.name])',
        'digest_of([seed, "heads"])',
        OF_TEAM,
    ),
    Mutant(
        "a strategy draws the same in all steps",
        LEARNER,
        'digest_of([self.seed, step, "strategy"])',
        'digest_of([self.seed, "strategy"])',
        DRAWS,
    ),
    Mutant(
        "a strategy draws the same for all seeds",
        LEARNER,
        'digest_of([self.seed, step, "strategy"])',
        'digest_of([step, "strategy"])',
        DRAWS,
    ),
    Mutant(
        "a strategy draws what the student draws",
        LEARNER,
        'digest_of([self.seed, step, "strategy"])',
        "digest_of([self.seed, step])",
        DRAWS,
    ),
    Mutant(
        "dropout is the same in all steps",
        LEARNER,
        "drawn = int(digest_of([self.seed, step])[:8], 16)",
        "drawn = int(digest_of([self.seed])[:8], 16)",
        DRAWS,
    ),
    Mutant(
        "dropout is the same for all seeds",
        LEARNER,
        "drawn = int(digest_of([self.seed, step])[:8], 16)",
        "drawn = int(digest_of([step])[:8], 16)",
        DRAWS,
    ),
    # Weights
    Mutant(
        "distillation counts once, whatever its coefficient",
        STEP,
        "loss = own + teaching.distill * taught.mean()",
        "loss = own + taught.mean()",
        OF_STEP,
    ),
    Mutant(
        "gradients used again are not weighed",
        STEP,
        "_add_teachers(signal, graph, teaching.distill * weights)",
        "_add_teachers(signal, graph, teaching.distill + 0 * weights)",
        OF_STEP,
    ),
    Mutant(
        "the task loss counts without its coefficient",
        STEP,
        "own = coefficient * truth",
        "own = 1.0 * truth",
        (LOOPS + "without_the_task_loss_the_student_sees_teachers_alone",),
    ),
    Mutant(
        "weights may have any sum", STEP, "(rows.sum(dim=0) - 1).abs() > 1e-3", "(rows.sum(dim=0) - 1).abs() > 1e3", OF_STEP
    ),
    Mutant("weights may be negative", STEP, "    if negative and not raw:", "    if negative and raw:", OF_STEP),
    Mutant(
        "terms count without their coefficients",
        TEAM,
        "total = total + coefficient * losses",
        "total = total + losses",
        OF_TEAM,
    ),
    Mutant(
        "mean weights are those of the last epoch",
        LOOP,
        "means = [total / steps for total in state.weight_sums]",
        "means = [total / steps for total in state.epoch_weights]",
        ("tests/runs/test_execute.py::test_the_trace_beside_a_record_tells_what_went_on",),
    ),
    Mutant(
        "a strategy sees gradients of sums",
        SIGNAL,
        "torch.autograd.grad(losses.mean(), self._graph.leaves(t)",
        "torch.autograd.grad(losses.sum(), self._graph.leaves(t)",
        OF_SIGNAL,
    ),
    # The best epoch
    Mutant(
        "the worst epoch is kept",
        LOOP,
        "headline.better(metrics[headline.name], best[headline.name])",
        "headline.better(best[headline.name], metrics[headline.name])",
        BEST,
    ),
    Mutant(
        "the last epoch is kept",
        LOOP,
        "    module.load_state_dict(best)",
        "    module.load_state_dict(module.state_dict())",
        BEST,
    ),
    Mutant(
        "dropout is on where students are evaluated",
        EVALUATION,
        "    module.eval()",
        "    module.train()",
        ("tests/tasks/retrieval/test_embeddings.py",),
    ),
    Mutant(
        "the average moves too fast",
        AVERAGE,
        "self.values[name].lerp_(value, 1 - decay)",
        "self.values[name].lerp_(value, decay)",
        OF_AVERAGE,
    ),
    Mutant(
        "the average is not what is evaluated",
        LEARNER,
        "self.average.in_place() if self.average else nullcontext()",
        "nullcontext()",
        (LOOPS + "the_moving_average_is_what_is_validated_and_kept",),
    ),
    # Resume
    Mutant(
        "a resumed run forgets its best epoch",
        LOOP,
        'saved["best"]) if saved else',
        "{}) if saved else",
        (LOOPS + "the_best_epoch_is_one_that_may_be_kept",),
    ),
    Mutant(
        "a resumed run forgets its optimizer",
        LEARNER,
        'restore(self.optimizer, state["optimizer"])',
        "restore(self.optimizer, self.optimizer.state_dict())",
        RESUMED,
    ),
    Mutant(
        "a resumed run forgets its heads",
        LEARNER,
        'self.heads.load_state_dict(state["heads"])',
        "self.heads.load_state_dict(self.heads.state_dict())",
        RESUMED,
    ),
    Mutant(
        "a resumed run forgets what its strategy learned",
        LEARNER,
        'tell(self.strategy, "load_state_dict", state["strategy"])',
        'tell(self.strategy, "state_dict")',
        RESUMED,
    ),
    Mutant(
        "a resumed run forgets its average",
        LEARNER,
        'self.average.load_state_dict(state["average"])',
        "self.average.state_dict()",
        AVERAGED,
    ),
    Mutant(
        "a resumed average begins anew", AVERAGE, 'self.updates = int(str(state["updates"]))', "self.updates = 0", OF_AVERAGE
    ),
    Mutant(
        "a resumed run forgets earlier stages",
        LOOP,
        "            stage.load_state_dict(kept)",
        "            stage.state_dict()",
        ("tests/training/test_stage.py::test_an_interrupted_stage_ends_as_if_it_had_not_been",),
    ),
    Mutant(
        "a checkpoint lacks the trace",
        LOOP,
        "tracing = Tracing(learner.names, ends, state.trace)",
        "tracing = Tracing(learner.names, ends, {})",
        RESUMED,
    ),
)
