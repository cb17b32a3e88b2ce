"""Which columns a table has, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass

from kdbench.reports.board import Row, Table

DAGGER = "†"

WAYS = {"Text → image": "image_retrieval_recall", "Image → text": "text_retrieval_recall"}
MEANINGS = {
    "Rank": "The ranks a row may have, 1 the best. 2–5: one row is surely better, and up to four may be.",
    "Group": "Rows of one tie group cannot be told apart by these runs.",
    "Variant": "What else a suite varied.",
    "Strategy": f"How the teachers' signals are combined; fewer than two teachers need no strategy. {DAGGER} marks a "
    "reconstruction: the source leaves something open.",
    "Teachers": "Who taught the student; “as it is” marks a teacher that was ranked itself, which is no contestant.",
    "RSUM": "The sum of all R@K, in percent.",
    "Seeds": "How many runs, with different random seeds, the row is a mean of.",
    "R@K": "The share of queries, in percent, with a right answer among the first K: texts finding images (text → image) and "
    "images finding texts (image → text).",
    "± and bold": "Half the 95 % interval that seeds and test images leave. Bold: this row and those it ties with are surely "
    "better than all of the next group.",
    "Student, s": "Seconds to train the student, the mean of its runs.",
    "Teachers, s": "Seconds to train and encode the teachers, shared among the runs that used them.",
    "Strategy, %": "The part of a training step spent in the strategy.",
    "Peak, MB": "The most memory (10⁶ bytes) that a run held.",
    "Tuning": "How its hyperparameters were found; the same for all rows of a table.",
    "Mean weights": "The weight of each teacher, the mean over all steps and runs.",
    "Runs": "The page of each run, by its seed.",
}


@dataclass(frozen=True)
class Metric:
    """A column of R@K."""

    header: str
    metric: str
    way: str


def metrics(table: Table) -> dict[str, list[Metric]]:
    """By way of retrieval."""
    return {
        way: [Metric(f"R@{k}", f"{name}@{k}", way) for k in table.recall_at] for way, name in WAYS.items() if table.recall_at
    }


def metric_name(name: str) -> str:
    """For a person; names of CLIP_benchmark that are none of retrieval stay."""
    for way, prefix in WAYS.items():
        if name.startswith(f"{prefix}@"):
            return f"{way}, R@{name.removeprefix(prefix + '@')}"
    return {"rsum": "RSUM", "mean_recall": "mean of all R@K"}.get(name, name)


def label(row: Row) -> str:
    """What a row is called in its table, where teachers and variant have columns of their own."""
    return row.strategy or (row.student if row.reference else f"{row.teachers} alone" if row.team else "no teacher")


def lead(table: Table) -> tuple[str, str]:
    """Its verdict: the row to use, where that is how it begins, and the rest."""
    found = [row.name for row in table.rows if table.verdict.startswith(f"Use {row.name}")]
    head = f"Use {max(found, key=len)}" if found else ""
    return head, table.verdict.removeprefix(head)


def varied(table: Table) -> bool:
    """Whether any row has a variant."""
    return any(row.variant for row in [*table.rows, *table.references])


def reconstructed(row: Row) -> bool:
    """Whether its strategy is a reconstruction."""
    return bool(row.strategy) and row.strategy in row.reconstructions


def reconstructions(table: Table) -> list[str]:
    """Labels of all parts of its rows that are."""
    return sorted({label for row in [*table.rows, *table.references] for label in row.reconstructions})


def rank(row: Row) -> str:
    """`2`, or `1–3`; empty for a reference."""
    if row.reference or not row.first:
        return ""
    return str(row.first) if row.first == row.last else f"{row.first}–{row.last}"


def use(row: Row) -> str:
    """What the suite wrote after `use:` for its strategy; empty without one."""
    strategy = row.spec["strategy"]
    return str(strategy.get("use", strategy["name"])) if strategy else ""
