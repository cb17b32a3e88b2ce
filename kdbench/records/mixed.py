"""Records that compare although a plugin of theirs was not the same: told, because figures alone do not show it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from kdbench.records.parts import Part, plugins_of
from kdbench.records.record import Record
from kdbench.storage.digest import digest_of


def mixed(records: Iterable[Record]) -> list[str]:
    """A sentence for each plugin whose code or files differ between records of one suite, with the same parameters, and for
    datasets of one digest, whose rows share a table, that are of other files."""
    records = list(records)
    groups: dict[tuple[str, str, str], list[tuple[str, Part]]] = defaultdict(list)
    digests: dict[str, dict[str, str]] = {}  # of the plugins of a cell, equal for all its seeds
    for record in records:
        if record.parts and (cell := record.spec.cell_id) not in digests:
            digests[cell] = {name: digest_of(plugin.canonical) for name, _, plugin in plugins_of(record.spec)}
        known = digests.get(record.spec.cell_id, {})
        for name, part in record.parts.items():
            holder = next((one for one in known if name == one or name.startswith(f"{one}.")), "")
            groups[record.spec.suite, name, known.get(holder, "")].append((record.started, part))
    found: dict[str, None] = {}
    for (_, name, _), parts in groups.items():
        ordered = [part for _, part in sorted(parts, key=lambda one: one[0])]
        for older, newer in pairwise(ordered):
            if changed := older.difference(newer):
                hint = "`kdbench run` with --redo executes older runs again"
                found[f"rows differ in more than their names say: {name}: {changed}; {hint}"] = None
    return [*found, *_of_one_digest(records)]


def _of_one_digest(records: list[Record]) -> list[str]:
    """The digest is that of what a student reads, images cut to squares; teachers may read the original pictures."""
    groups: dict[str, dict[str, str]] = defaultdict(dict)  # dataset digest → suite and parameters → label with content
    contents: dict[str, set[str]] = defaultdict(set)
    for record in records:
        dataset = record.spec.dataset
        part = record.parts.get(f"dataset {dataset.name}")
        if record.dataset_digest and part and part.content:
            which = digest_of([record.spec.suite, dataset.canonical])
            groups[record.dataset_digest].setdefault(which, f"{dataset.name} of suite {record.spec.suite} ({part.content[:8]})")
            contents[record.dataset_digest].add(part.content)
    return [
        f"datasets of one digest ({digest[:8]}: their square images and captions) are of other files: "
        f"{', '.join(sorted(labels.values()))}; encoders that read the original pictures may have seen others"
        for digest, labels in groups.items()
        if len(labels) > 1 and len(contents[digest]) > 1
    ]
