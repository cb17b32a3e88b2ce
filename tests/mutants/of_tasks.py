"""Mutants of what is measured: retrieval ranks, ties, metrics, units, batches."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ONE_WAY = "kdbench/tasks/retrieval/one_way.py"
BOTH_WAYS = "kdbench/tasks/retrieval/both_ways.py"
POSITIVES = "kdbench/tasks/retrieval/positives.py"
RANKS = "kdbench/tasks/retrieval/ranks.py"
UNITS = "kdbench/tasks/retrieval/units.py"
BATCHES = "kdbench/tasks/retrieval/batches.py"
STORED = "kdbench/tasks/retrieval/stored.py"
EMBEDDINGS = "kdbench/tasks/retrieval/embeddings.py"
FEED = "kdbench/tasks/retrieval/feed.py"
OF_ONE_WAY = ("tests/tasks/retrieval/test_one_way.py",)
OF_BOTH_WAYS = ("tests/tasks/retrieval/test_both_ways.py",)
OF_POSITIVES = ("tests/tasks/retrieval/test_positives.py",)
OF_RANKS = ("tests/tasks/retrieval/test_ranks.py",)
OF_UNITS = ("tests/tasks/retrieval/test_units.py",)
OF_BATCHES = ("tests/tasks/retrieval/test_batches.py",)
OF_VIEWS = ("tests/runs/test_views.py::test_stored_views_equal_live_ones",)

MUTANTS = (
    # Ranks and ties
    Mutant(
        "scores are summed in float32",
        ONE_WAY,
        "(queries.astype(np.float64) @ candidates.astype(np.float64).T)",
        "(queries @ candidates.T)",
        OF_ONE_WAY,
    ),
    Mutant(
        "a tie counts for the model", ONE_WAY, "((scores >= best) & ~positive)", "((scores > best) & ~positive)", OF_ONE_WAY
    ),
    Mutant("positives stand in each other's way", ONE_WAY, "((scores >= best) & ~positive)", "(scores >= best)", OF_ONE_WAY),
    Mutant(
        "the worst positive counts",
        ONE_WAY,
        "np.where(positive, scores, -np.inf).max(",
        "np.where(positive, scores, np.inf).min(",
        OF_ONE_WAY,
    ),
    Mutant("ranks begin at 0", ONE_WAY, "return better + np.int32(1)", "return better + np.int32(0)", OF_ONE_WAY),
    Mutant(
        "pairs that are close are scored in float32",
        BOTH_WAYS,
        "products = images[some].astype(np.float64)",
        "products = images[some].astype(np.float32)",
        OF_BOTH_WAYS,
    ),
    Mutant(
        "scores in float32 count as exact",
        BOTH_WAYS,
        "margin = (1.01 * images.shape[1] + 16) *",
        "margin = 0.0 *",
        OF_BOTH_WAYS,
    ),
    Mutant(
        "a tie counts for the model",
        BOTH_WAYS,
        "image, text) >= side.best[query]",
        "image, text) > side.best[query]",
        OF_BOTH_WAYS,
    ),
    Mutant(
        "a tie in a dense tile counts for the model",
        BOTH_WAYS,
        "((scores >= rows.best[some, None]) & negative)",
        "((scores > rows.best[some, None]) & negative)",
        OF_BOTH_WAYS,
    ),
    Mutant(
        "positives stand in each other's way",
        BOTH_WAYS,
        "query[as_high & (rows.concepts[image] != columns.concepts[text])]",
        "query[as_high]",
        OF_BOTH_WAYS,
    ),
    Mutant("a byte overflows", BOTH_WAYS, "LANE = 255", "LANE = 510", OF_BOTH_WAYS),
    Mutant("a tie counts for the model", POSITIVES, 'best_first, side="left")', 'best_first, side="right")', OF_POSITIVES),
    Mutant(
        "the last of R candidates is left out",
        POSITIVES,
        "(ranks <= positives[..., None])",
        "(ranks < positives[..., None])",
        OF_POSITIVES,
    ),
    # Metrics and units
    Mutant("R@K is R@(K - 1)", RANKS, "np.count_nonzero(ranks <= k)", "np.count_nonzero(ranks < k)", OF_RANKS),
    Mutant(
        "log-rank is of one direction",
        RANKS,
        "float(np.log(text_ranks).mean() + np.log(image_ranks).mean()) / 2",
        "float(np.log(text_ranks).mean())",
        OF_RANKS,
    ),
    Mutant(
        "directions are exchanged",
        RANKS,
        '_recall@{k}": recall(image_ranks, k) for',
        '_recall@{k}": recall(text_ranks, k) for',
        ("tests/tasks/retrieval/test_clip_benchmark.py",),
    ),
    Mutant(
        "larger units count more",
        UNITS,
        "units.sums(hits, of) - mean * units.sizes(of)",
        "units.sums(hits, of) - mean",
        OF_UNITS,
    ),
    Mutant(
        "more hits than a byte holds",
        UNITS,
        "if self.sizes(of).max() < 2**8 else",
        "if self.sizes(of).max() < 2**9 else",
        OF_UNITS,
    ),
    Mutant(
        "units are of images alone",
        UNITS,
        "np.unique(np.concatenate(given), return_inverse=True)",
        "np.unique(np.concatenate([given[0], given[1] * 0]), return_inverse=True)",
        OF_UNITS,
    ),
    # Batches and views
    Mutant(
        "batches are the same for all seeds",
        BATCHES,
        "rng = np.random.default_rng((self.seed, epoch))",
        "rng = np.random.default_rng((0, epoch))",
        OF_BATCHES,
    ),
    Mutant(
        "batches are the same in all epochs",
        BATCHES,
        "rng = np.random.default_rng((self.seed, epoch))",
        "rng = np.random.default_rng((self.seed, 0))",
        OF_BATCHES,
    ),
    Mutant(
        "weights of captions play no part",
        BATCHES,
        "        if self._summed is None:",
        "        if self._summed is None or True:",
        OF_BATCHES,
    ),
    Mutant("an epoch before is shown again", BATCHES, "if epoch != self._epoch:", "if self._epoch < 0:", OF_BATCHES),
    Mutant(
        "an image stays in one view",
        BATCHES,
        "+ step // self.per_epoch) % count",
        "+ 0) % count",
        ("tests/runs/test_views.py::test_each_image_goes_through_all_of_its_views",),
    ),
    Mutant(
        "views are the same for all seeds",
        BATCHES,
        "np.random.default_rng((self.seed, count))",
        "np.random.default_rng((0, count))",
        OF_BATCHES,
    ),
    Mutant(
        "teachers see other images than the student",
        STORED,
        "take(views, numbers * len(plain) + rows)",
        "take(views, numbers * len(plain) + rows[::-1])",
        OF_VIEWS,
    ),
    Mutant(
        "teachers see the first view",
        STORED,
        "take(views, numbers * len(plain) + rows)",
        "take(views, 0 * len(plain) + rows)",
        OF_VIEWS,
    ),
    Mutant("the student sees the first view", FEED, "images = images + self._views(step) *", "images = images + 0 *", OF_VIEWS),
    Mutant(
        "the seed of a run does not draw its batches",
        FEED,
        "settings.batch_size, settings.seed,",
        "settings.batch_size, 0,",
        ("tests/runs/test_learn.py::test_weights_heads_and_batches_are_drawn_from_the_training_seed_alone",),
    ),
    Mutant(
        "validation and test have views",
        EMBEDDINGS,
        'data.views is not None and name == "train"'.replace("data", "dataset"),
        "dataset.views is not None",
        ("tests/runs/test_views.py::test_only_the_train_split_has_views",),
    ),
)
