"""Mutants of intervals, tests, corrections, races and ranks of rows."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CROSSED = "kdbench/statistics/crossed.py"
PAIRS = "kdbench/statistics/pair_tests.py"
LOOKS = "kdbench/statistics/looks.py"
SPENDING = "kdbench/statistics/spending.py"
FOLDS = "kdbench/statistics/folds.py"
CELLS = "kdbench/statistics/cells.py"
GROUPS = "kdbench/statistics/tie_groups.py"
COMPONENTS = "kdbench/statistics/components.py"
OF_CROSSED = ("tests/statistics/test_crossed.py",)
OF_PAIRS = ("tests/statistics/test_pair_tests.py",)
OF_LOOKS = ("tests/statistics/test_looks.py",)
OF_SPENDING = ("tests/statistics/test_spending.py",)
OF_FOLDS = ("tests/statistics/test_folds.py",)
OF_CELLS = ("tests/statistics/test_cells.py",)
OF_GROUPS = ("tests/statistics/test_tie_groups.py",)

MUTANTS = (
    # Correction for many pairs and looks
    Mutant("Holm's factor is the same for all p-values", PAIRS, "np.arange(len(p), 0, -1)", "len(p)", OF_PAIRS),
    Mutant("Holm's steps may descend", PAIRS, "np.maximum.accumulate(p[order] *", "np.positive(p[order] *", OF_PAIRS),
    Mutant("pairs of a table are not corrected", PAIRS, "p[tested] = holm(p[tested])", "p[tested] = p[tested]", OF_PAIRS),
    Mutant(
        "pairs of a race are not corrected",
        LOOKS,
        "several = holm(np.concatenate([p[fresh], np.ones(given_up)]))",
        "several = np.concatenate([p[fresh], np.ones(given_up)])",
        OF_LOOKS,
    ),
    Mutant("pairs given up count no more", LOOKS, "return int(np.triu(pairs, 1).sum())", "return 0", OF_LOOKS),
    Mutant("the pool of the rows left is used", LOOKS, "known = _later(", "known = None and _later(", OF_LOOKS),
    Mutant(
        "every look has the whole level",
        LOOKS,
        "differs = spends.overall(look - 1, pairs.p())",
        "differs = pairs.p()",
        OF_LOOKS,
    ),
    Mutant(
        "the row with the worse mean is better", LOOKS, "& (means[:, None] > means)", "& (means[:, None] < means)", OF_LOOKS
    ),
    Mutant(
        "a table finds differences at 10 %", LOOKS, "(corrected < LEVEL) & _ahead", "(corrected < 2 * LEVEL) & _ahead", OF_LOOKS
    ),
    Mutant("looks spend the level in equal steps", SPENDING, "POWER = 2", "POWER = 1", OF_SPENDING),
    Mutant(
        "looks spend more than the level",
        SPENDING,
        "own: Floats = np.diff(spent, prepend=0.0)",
        "own: Floats = spent",
        OF_SPENDING,
    ),
    Mutant("what was claimed may be claimed again", SPENDING, "here = nodes * edges", "here = nodes * 2 * edges", OF_SPENDING),
    # What rows lend each other
    Mutant("nothing is pooled", PAIRS, "    if pool is None:", "    if pool is None or pool:", OF_PAIRS),
    Mutant("the pooled square alone counts", PAIRS, "np.maximum(squares.seed, pool[0] *", "np.positive(pool[0] *", OF_PAIRS),
    Mutant(
        "a pair's own square alone counts",
        PAIRS,
        "np.maximum(squares.seed, pool[0] * (squares.seeds if isinstance(squares, FoldSquares) else 1))",
        "squares.seed",
        OF_PAIRS,
    ),
    Mutant("half of the rows' variance is pooled", PAIRS, "return 2 * several[0]", "return 1 * several[0]", OF_PAIRS),
    Mutant(
        "pooled degrees of freedom are too many",
        PAIRS,
        "df = (len(several) - 1) * (len(shared) - 1)",
        "df = len(several) * len(shared)",
        OF_PAIRS,
    ),
    Mutant("unequal rows have all degrees of freedom", PAIRS, "max(df * float(evenness), 1.0)", "float(df)", OF_PAIRS),
    Mutant(
        "seeds are paired by position",
        PAIRS,
        "a.values[left] - b.values[right]",
        "a.values[: len(left)] - b.values[: len(right)]",
        OF_PAIRS,
    ),
    Mutant(
        "differences beyond the margin are equivalent",
        PAIRS,
        "room = margin - np.abs(squares.mean)",
        "room = margin + np.abs(squares.mean)",
        OF_PAIRS,
    ),
    Mutant("equivalence is tested two-sided", PAIRS, "pool) / 2, 1.0)", "pool), 1.0)", OF_PAIRS),
    # Intervals of a table of seeds and units
    Mutant(
        "squares of seeds have one degree of freedom more",
        CROSSED,
        "units * by_seed / (seeds - 1)",
        "units * by_seed / seeds",
        OF_CROSSED,
    ),
    Mutant(
        "squares of units have one degree of freedom more",
        CROSSED,
        "unit = seeds * by_unit / (units - 1)",
        "unit = seeds * by_unit / units",
        OF_CROSSED,
    ),
    Mutant(
        "the residual counts twice",
        CROSSED,
        "np.maximum(self.unit - self.residual, 0.0)",
        "np.maximum(self.unit, 0.0)",
        OF_CROSSED,
    ),
    Mutant("intervals are of 90 %", CROSSED, "    tail = LEVEL / 2", "    tail = LEVEL", OF_CROSSED),
    Mutant("p-values are one-sided", CROSSED, "np.unique(np.exp(log_p) / 2,", "np.unique(np.exp(log_p),", OF_CROSSED),
    Mutant(
        "p-values leave the units out",
        CROSSED,
        "return np.asarray(-by_seed * seed - by_unit * unit - target)",
        "return np.asarray(-by_seed * seed - target)",
        OF_CROSSED,
    ),
    # Cross-validation
    Mutant(
        "the square between folds has a degree too many",
        FOLDS,
        "seeds * by_fold / (folds - 1)",
        "seeds * by_fold / folds",
        OF_FOLDS,
    ),
    Mutant(
        "what folds add is cut off at the mean", FOLDS, "between / median_of_chi_square(df) - unit", "between - unit", OF_FOLDS
    ),
    Mutant("uneven folds weigh as even ones", FOLDS, "return weight_of(sizes) * np.maximum", "return np.maximum", OF_FOLDS),
    Mutant(
        "units within folds have too many degrees of freedom",
        FOLDS,
        "return self.units - len(self.sizes)",
        "return self.units - 1",
        OF_FOLDS,
    ),
    Mutant(
        "a seed counts without all of its folds",
        CELLS,
        "if len(counts[run.seed]) >= of]",
        "if len(counts[run.seed]) >= 1]",
        OF_CELLS,
    ),
    Mutant("runs are stacked as they come", CELLS, "key=lambda run: (run.seed, run.fold)))", "key=lambda run: 0))", OF_CELLS),
    # Ranks of rows, power
    Mutant(
        "the first of a group is one that others beat", GROUPS, "not better[first, row]", "not better[row, first]", OF_GROUPS
    ),
    Mutant(
        "the best rank counts rows that are worse",
        GROUPS,
        "(1 + int(better[:, i].sum())",
        "(1 + int(better[i].sum())",
        OF_GROUPS,
    ),
    Mutant(
        "bold rows need not beat all of the next group",
        GROUPS,
        "bool(following) and all(",
        "bool(following) and any(",
        OF_GROUPS,
    ),
    Mutant(
        "seeds vary by what is left for one",
        COMPONENTS,
        "float(squares.seed - squares.residual)",
        "float(squares.seed)",
        ("tests/statistics/test_components.py",),
    ),
)
