"""How long the quick check takes that leaderboards ask of every record."""

from __future__ import annotations

import time
from pathlib import Path

from kdbench.records.files import read_record, write_record
from kdbench.records.verify import usable
from tests.support.made_records import made


def test_a_thousand_records_take_less_than_a_second(tmp_path: Path) -> None:
    full = read_record(made(tmp_path / "one"))
    for seed in range(1000):
        own = full.spec.replace(seed=seed)
        ids = {"run_id": own.run_id, "cell_id": own.cell_id, "label": own.label}
        write_record(tmp_path / "all", full.replace(spec=own, arrays_sha256=f"{seed:064}", trace_sha256=None, **ids))
    spent = []
    for _ in range(3):
        started = time.process_time()
        usable([tmp_path / "all"])
        spent.append(time.process_time() - started)
    print(f"1,000 records: {min(spent):.2f} s of the processor")
    assert min(spent) < 1.0
