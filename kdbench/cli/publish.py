"""Commands over records that are handed to others, or come from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdbench.cli.common import CacheRoot, app, cache_root, checked_device, complain, plugins_here, say

if TYPE_CHECKING:
    from kdbench.records.verify import Examined
    from kdbench.runs.rerun import Rerun


@app.command()
def submit(
    records: Annotated[list[Path], typer.Argument(help="Records or folders of records.")],
    out: Annotated[Path, typer.Option("--out", help="The zip file to write.")],
    by: Annotated[str, typer.Option("--by", help="Who hands them in; written into the bundle.")] = "",
) -> None:
    """Bundle records with their ranks, series and profiles, and a manifest of checksums, into one zip file.

    Tuned runs bring the summaries of their studies. The same records make the same bytes. Refuses smoke runs, failed ones,
    and whatever `verify` finds fault with.
    """
    from kdbench.records.bundle.submit import submit as write

    done = write(records, out, by, plugins_here())
    dirty = f", {len(done.manifest.dirty)} of them dirty" if done.manifest.dirty else ""
    say(f"{_counted(len(done.records), 'record')}{dirty}, in {_counted(len(done.manifest.files), 'file')}: {out}")


@app.command()
def verify(
    records: Annotated[
        list[Path] | None, typer.Argument(help="Bundles, records or folders of records.", show_default="results/")
    ] = None,
    rerun: Annotated[
        str, typer.Option("--rerun", metavar="RUN_ID", help="Train this run again, and compare the ranks bit for bit.")
    ] = "",
    cache: CacheRoot = None,
    device: Annotated[str, typer.Option(help="To train on: auto, cpu, cuda or cuda:N; that of the record by default.")] = "",
) -> None:
    """Recompute what records say from their ranks and series, and check ids, checksums, datasets, weights and times.

    Of tuned runs, also that their parameters are those of the best trial in their study's summary, which lies beside them.
    Lists what is wrong; exit code 1 if anything is, or if a run that is trained again gives other ranks.
    """
    from kdbench.records.verify import examined

    with examined(records or [Path("results")], plugins=plugins_here()) as found:
        for problem in found.problems:
            complain(str(problem))
        problems = f"; {_counted(len(found.problems), 'problem')}" if found.problems else ""
        typer.echo(f"{_counted(len(found.records), 'record')} fine{problems}")
        again = _rerun(rerun, found, cache, device) if rerun else None
    for line in again.lines() if again else []:
        typer.echo(line)
    if found.problems or (again and not again.same):
        raise typer.Exit(1)


def _rerun(run: str, found: Examined, cache: Path | None, device: str) -> Rerun:
    from kdbench.errors import KdbenchError, nearest

    matches = [pair for pair in found.good if pair[1].run_id.startswith(run.lower())]
    if len(matches) != 1:
        ids = [record.run_id for record in found.records]
        told = f"it may be any of {len(matches)}; give more of its id" if matches else nearest(run, ids) or "none is fine"
        raise KdbenchError(f"--rerun: found {run!r}, expected the id of one of the records that are fine; {told}")
    (item, record), *_ = matches
    from kdbench.records.provenance import resolved_device
    from kdbench.runs.rerun import rerun as train_again

    on = checked_device(device or ("cpu" if record.device == "cpu" else "auto"))
    say(f"Training {record.label} again")
    return train_again(item, record, plugins_here(), cache_root(cache), resolved_device(on))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
