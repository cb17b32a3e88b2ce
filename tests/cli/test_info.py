"""`kdbench info`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Command = Callable[..., tuple[int, str, str]]


def test_info_is_fit_for_a_bug_report(typed: Command, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results/a.json").write_text("x" * 2_000_000)
    code, out, err = typed("info")
    lines = {line.split("  ")[0].strip(): line.split("  ", 1)[1].strip() for line in out.splitlines()}
    assert (code, err) == (0, "")
    for name in ("python", "kdbench", "torch", "device", "host cpu", "cache", "extra quickstart"):
        assert lines[name]
    assert lines["results"].endswith("2.0 MB in 1 file")
    assert lines["cache"].endswith("does not exist")
    assert "device" not in typed("info", "--quick")[1]
