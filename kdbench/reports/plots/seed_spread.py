"""How far the seeds of each row spread, against what separates the rows of a table."""

from __future__ import annotations

from kdbench.reports.board import Table
from kdbench.reports.plots.labels import clean, common_team, file_part, interval_text, metric_label, row_labels
from kdbench.reports.plots.model import Axis, Mark, Panel, Plot, Points, line_of

QUESTION = "How far do the seeds spread, and which rows differ significantly?"


def seed_spread(table: Table, width: int = 40) -> Plot:
    """A line of dots for each row, the best at the top; stripes behind rows of odd tie groups.

    Labels have at most `width` characters.
    """
    metric, rows = table.headline, table.rows
    means, dots = [], []
    for place, row in enumerate(rows):
        value = row.values[metric.name]
        hover = (row.name, f"mean {metric.text(value.mean)}, {interval_text(metric, value)}", f"tie group {row.group}")
        means.append(Mark(value.mean, float(place), value.low, value.high, hover))
        dots += [
            Mark(one, float(place), hover=(row.name, f"seed {seed}: {metric.text(one)}")) for seed, one in row.by_seed.items()
        ]
    names = row_labels(rows, width)
    panel = Panel(
        x=Axis(f"{metric_label(metric)}, not from 0"),
        y=Axis(
            names=tuple(names[row.id] for row in rows),
            beside=tuple(str(row.group) for row in rows),
            heading="tie group",
            flipped=True,
        ),
        values="x",
        points=(
            Points("mean, 95 % interval over seeds and test units", "mean", tuple(means)),
            Points("one seed, all its folds" if any(row.folds for row in rows) else "one run", "seed", tuple(dots)),
        ),
        stripes=tuple(place for place, row in enumerate(rows) if row.group % 2),
    )
    team = common_team(rows)
    return Plot(
        stem="-".join(filter(None, ["seeds", file_part(table.dataset), table.id])),
        title=table.title,
        question=QUESTION,
        alt=_describe(table),
        panels=(panel,),
        data=_plotted(table),
        about=(table.title + (f" · strategies of {team}" if team else ""),),
        striped="rows of a group are tied with its first row",
    )


def _plotted(table: Table) -> str:
    lines = [f"seeds {table.id}", clean(table.title)]
    for row in table.rows:
        value = row.values[table.headline.name]
        seeds = {f"seed{seed}": one for seed, one in row.by_seed.items()}
        name = f"{row.id} {clean(row.name)}"
        lines.append(line_of(name, group=row.group, mean=value.mean, low=value.low, high=value.high, **seeds))
    return "\n".join(lines)


def _describe(table: Table) -> str:
    metric, best, groups = table.headline, table.rows[0], len({row.group for row in table.rows})
    count = f"{len(table.rows)} row{'s' if len(table.rows) != 1 else ''} in {groups} tie group{'s' if groups != 1 else ''}"
    mean = metric.text(best.values[metric.name].mean)
    way = "" if metric.higher_is_better else " (lower is better)"
    return f"{metric.label}{way} of each seed on {clean(table.title)}: {count}, {clean(best.name)} has the best mean, {mean}."
