"""`route`: the suite, or a column of a table, says which teacher each image learns from."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kdbench import KdbenchError, Offer, Signal, Skip, Strategy, hookimpl, nearest
from kdbench.errors import KdbenchWarning
from kdbench.training.patterns import closest

if TYPE_CHECKING:
    from torch import Tensor

WITHOUT_IDS = "route: found a dataset without ids of images; expected Split.image_ids, by which it routes"


class Route:
    """Weights w[t,b] = 1 for the teacher that image b is routed to, 0 for the others; equal weights without a route.

    `routes` maps patterns to names of teachers, such as `{photos/*: clip, "*": lite0}`; `*`, `?` and `[…]` are those of file
    names, and the longest pattern that fits counts. They are compared with the ids of images, by default the names of their
    files (in the dataset `folder` the paths in the table). With `table`, a CSV, TSV, JSONL, JSON or Parquet file, they are
    compared with the `column` of the image's row instead; an image without a row or value has no route. Nor has one whose
    teacher is not in the team: one entry serves several teams. Captions go with their image.

    Raises Skip if no route leads to a teacher of the team, KdbenchError if the dataset states no ids.
    """

    def __init__(
        self,
        *,
        routes: Annotated[dict[str, str], Field(min_length=1)],
        table: Path | None = None,
        image: str = "image",
        column: str = "source",
    ) -> None:
        self.routes = routes
        self.values = None if table is None else values_of(table.expanduser(), image, column)  # by id
        self.known: dict[str, str] = {}  # names of teachers by id, "" without a route
        self.share = 0.0

    def check_teams(self, teams: Sequence[Sequence[str]], dataset: Any) -> None:
        """Raises KdbenchError if no image of the train split has a route to a teacher of the teams; warns if only some have."""
        members = {name for team in teams for name in team}
        names = list(dict.fromkeys(self.routes.values()))
        unknown = [name for name in names if name not in members]
        if len(unknown) == len(names):
            hint = nearest(names[0], members)
            raise KdbenchError(f"route: routes: found {', '.join(names)}; expected teachers of a team. {hint}")
        if dataset is None:
            return
        ids = dataset.split("train").image_ids
        if not len(ids):
            raise KdbenchError(WITHOUT_IDS)
        left = [one for one in ids if self._teacher(one) not in members]
        if not left:
            return
        found = f"{len(left):,} of {len(ids):,} images of the train split without a route to {', '.join(sorted(members))}"
        why = "; ".join([self._why(left[0]), *(f"{name} is in no team, {nearest(name, members)}" for name in unknown)])
        if len(left) == len(ids):
            raise KdbenchError(f"route: found {found}; expected a route for each. {why}")
        warnings.warn(f"route: {found}, which learn from all teachers alike. {why}", KdbenchWarning, stacklevel=2)

    def _why(self, image: str) -> str:
        """Why an image has no route to a teacher of a team."""
        if self.values is None:
            key = f"the id {image!r}"
        elif image in self.values:
            key = f"the value {self.values[image]!r} of {image!r}"
        else:
            return f"the id {image!r} is not in the table, which has {next(iter(self.values), 'no image')!r}"
        leads = self._teacher(image)
        return f"{key} is routed to {leads}" if leads else f"{key} fits none of {', '.join(self.routes)}"

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        teachers = signal.teachers
        if not set(teachers) & set(self.routes.values()):
            leads = ", ".join(dict.fromkeys(self.routes.values()))
            raise Skip(f"route: no route leads to {', '.join(teachers)}; routes lead to {leads}")
        ids = signal.batch.image_ids
        if not ids:
            raise KdbenchError(WITHOUT_IDS)
        places = {name: place for place, name in enumerate(teachers)}
        found = [places.get(self._teacher(one), -1) for one in ids]
        self.share = sum(place >= 0 for place in found) / len(found)
        chosen = torch.tensor(found).to(signal.losses.device, non_blocking=True)
        alone = chosen == torch.arange(len(teachers), device=chosen.device)[:, None]
        return torch.where(chosen >= 0, alone.to(signal.losses), 1 / len(teachers))

    def _teacher(self, image: str) -> str:
        if image not in self.known:
            value = image if self.values is None else self.values.get(image, "")
            pattern = closest(value, self.routes) if value else None
            self.known[image] = "" if pattern is None else self.routes[pattern]
        return self.known[image]

    def report(self) -> dict[str, float]:
        """`routed`: the share of the batch's images that have a route."""
        return {"routed": self.share}


def values_of(table: Path, image: str, column: str) -> dict[str, str]:
    """The values of a column by the path of the image. Raises KdbenchError for a missing column and for two values of one."""
    from kdbench_plugins.tables.read import read_table

    found = read_table(table, {image, column})
    for parameter, name in (("image", image), ("column", column)):
        if name not in found.columns:
            hint = f"name yours with `{parameter}:`. {nearest(name, found.columns)}"
            raise KdbenchError(f"route: {table}: has no column {name!r}; {hint}")
    values: dict[str, str] = {}
    for row in found.rows:
        key, value = os.path.normpath(str(row.values.get(image)).strip()), _text(row.values.get(column))
        if values.setdefault(key, value) != value:
            raise KdbenchError(f"route: {row.where}: {column}: found {value!r} of {key}, in an earlier row {values[key]!r}")
    return values


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()  # NaN in a Parquet file is no value


def check(*, routes: dict[str, str], table: Path | None, image: str, column: str) -> None:
    """Raises KdbenchError if the table cannot be read or lacks a column."""
    Route(routes=routes, table=table, image=image, column=column)


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "route",
            Route,
            "each image learns from the teacher that the suite or a table says",
            check,
            formula="w[t,b] = 1 if t = r(b) else 0;  1/T without a route",
            latex=r"w_{t,b} = 1 \text{ if } t = r(b) \text{ else } 0; \quad \frac{1}{T} \text{ without a route}",
            source="one specialised teacher for each domain, as in UDON (Ypsilantis et al. 2024, arXiv 2406.08332)",
            status="published",
            example={"routes": {"image*[02468]": "teacher0", "image?[13579]": "teacher1"}},
            shown={"routes": {"photos/*": "clip", "drawings/*": "lite0"}},
        )
    ]
