"""All systems in one table: what each gained over its first baseline, and what was found of all of them."""

from __future__ import annotations

from docs.tools.blocks import cell, table
from docs.tools.compared import Compared
from docs.tools.result_blocks import ROOT, read
from docs.tools.system_results import rows_for, systems_of, tally, told
from docs.tools.systems import SYSTEMS


def systems_summary() -> str:
    """One line for each system whose suite has records."""
    lines = []
    for one in SYSTEMS:
        folder = f"results/{one.suite}"
        if not one.row or not (ROOT / folder).is_dir():
            continue
        found, board = read(folder)
        compared = Compared(found, rows_for(systems_of(one.suite), board))
        gains = {base: compared.gain(one.row, base) for base in one.baselines if base in compared}
        first, gain = next(iter(gains.items()))
        lines.append([one.name, cell(one.row), cell(first), told(gain, compared.metric), tally(gains.values())])
    return table(["system", "its row", "first baseline", "gain over it", "of all baselines"], lines)
