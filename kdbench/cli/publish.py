"""Commands over records that are handed to others, or come from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdbench.cli.common import RESULTS, CacheRoot, app, cache_root, complain, plugins_here, say, show, width
from kdbench.cli.outputs import output
from kdbench.errors import counted

if TYPE_CHECKING:
    from kdbench.records.verify import Examined
    from kdbench.runs.rerun import Rerun


@app.command(rich_help_panel=RESULTS)
def submit(
    records: Annotated[list[Path], typer.Argument(help="Records or folders of records.")],
    out: Annotated[Path, typer.Option("--out", help="The zip file to write.")],
    by: Annotated[str, typer.Option("--by", help="Name of the submitter, written into the bundle.")] = "",
) -> None:
    """Bundle records into one zip file, to hand them in.

    The file holds their arrays, traces and profiles, the summaries of the studies of tuned runs, and a manifest of checksums.
    The same records make the same bytes. Refuses smoke runs, failed runs, and everything that `verify` finds wrong.
    """
    from kdbench.records.submit import submit as write

    done = write(records, output(out), by, plugins_here())
    dirty = f", {len(done.manifest.dirty)} of them dirty" if done.manifest.dirty else ""
    say(f"{counted(len(done.records), 'record')}{dirty}, in {counted(len(done.manifest.files), 'file')}: {out}")


@app.command(rich_help_panel=RESULTS)
def verify(
    records: Annotated[
        list[Path] | None, typer.Argument(help="Bundles, records or folders of records.", show_default="results/")
    ] = None,
    rerun: Annotated[
        str, typer.Option("--rerun", metavar="RUN_ID", help="Train this run again and compare what it stored bit for bit.")
    ] = "",
    cache: CacheRoot = None,
    device: Annotated[
        str, typer.Option(help="Device to train on: auto, cpu, cuda or cuda:N.", show_default="that of the record")
    ] = "",
) -> None:
    """Check records: recompute their figures from what is stored, compare checksums.

    Also checks ids, datasets, weights and times; for tuned runs, that their parameters are those of the best trial in their
    study's summary beside them; and that no training counts under two seeds. Lists what is wrong; exit code 1 if anything is,
    or if a run that is trained again gives other figures. Notes name what may be honest: seeds that rows lack, rows with
    identical results.
    """
    from kdbench.records.remarks import remarks
    from kdbench.records.verify import examined
    from kdbench.reports.text_table import wrapped

    with examined(records or [Path("results")], plugins=plugins_here()) as found:
        for problem in found.problems:
            complain(str(problem))
        files = counted(len({problem.path for problem in found.problems}), "file")
        problems = f"; {counted(len(found.problems), 'problem')} in {files}" if found.problems else ""
        told = remarks(found.records)
        noted = f"; {counted(len(told), 'note')}, of what may be honest:" if told else ""
        show(f"{counted(len(found.records), 'record')} fine{problems}{noted}")
        for note in told:
            show(wrapped(f"- {note}", "table", width()))
        again = _rerun(rerun, found, cache, device) if rerun else None
    for line in again.lines() if again else []:
        show(line)
    if found.problems or (again and not again.same):
        raise typer.Exit(1)


def _rerun(run: str, found: Examined, cache: Path | None, device: str) -> Rerun:
    from kdbench.errors import KdbenchError, nearest

    matches = [pair for pair in found.good if pair[1].run_id.startswith(run.lower())]
    if len(matches) != 1:
        ids = [record.run_id for record in found.records]
        hint = f"{len(matches)} records fit; give more of the id" if matches else nearest(run, ids) or "no record is fine"
        raise KdbenchError(f"--rerun: found {run!r}, expected the id of one record that is fine; {hint}")
    ((file, record),) = matches
    from kdbench.records.provenance import resolved_device
    from kdbench.runs.rerun import rerun as train_again

    on = device or ("cpu" if record.device == "cpu" else "auto")
    say(f"Training {record.label} again")
    return train_again(file, record, plugins_here(), cache_root(cache), resolved_device(on))
