"""Records that compare although a plugin of theirs was not the same: told, because figures alone do not show it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from kdbench.records.parts import Part, plugins_of
from kdbench.records.record import Record
from kdbench.storage.digest import digest_of


def mixed(records: Iterable[Record]) -> list[str]:
    """A sentence for each plugin whose code or files differ between records of one suite, with the same parameters."""
    groups: dict[tuple[str, str, str], list[tuple[str, Part]]] = defaultdict(list)
    for record in records:
        known = {name: digest_of(plugin.canonical) for name, _, plugin in plugins_of(record.spec)}
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
    return list(found)
