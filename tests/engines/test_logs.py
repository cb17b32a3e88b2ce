"""Where the output of work goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kdbench.contracts import Site, Work
from kdbench.engines.logs import log_path, log_tail, printing_to
from kdbench.engines.messages import ExecuteRun, Rehearse, ServeStudy, preparations
from kdbench.suite.study import studies
from tests.support.sweeping import suite_of
from tests.support.toys import run_spec


def test_a_log_lies_beside_the_records_of_its_run(tmp_path: Path) -> None:
    site, spec = Site(tmp_path / "results", tmp_path / "cache"), run_spec()
    assert log_path(site, ExecuteRun(spec=spec)) == tmp_path / f"results/toys/logs/{spec.run_id}.log"
    study = studies(suite_of(tmp_path))[0]
    assert log_path(site, ServeStudy(study=study, storage="s")).parent == tmp_path / "results" / study.spec.suite / "logs"
    others: list[Work] = [Rehearse(spec=spec), *preparations([spec])]
    paths = [log_path(site, one) for one in others]
    assert len(set(paths)) == len(others)
    assert {path.parent for path in paths} == {tmp_path / "cache/logs"}


def test_what_is_printed_goes_to_the_log_and_nothing_leaves_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "logs/run.log"
    print("before", flush=True)
    with printing_to(path):
        os.write(2, b"a C library\n")
    assert path.read_text() == "a C library\n"
    with printing_to(path, shared=True):
        os.write(1, b"another process\n")
    assert path.read_text() == "a C library\nanother process\n"
    assert log_tail(path, 8) == "process\n"
    with printing_to(path):  # begins anew
        pass
    assert not path.exists()
    assert log_tail(path, 8) == ""
    assert capfd.readouterr() == ("before\n", "")
