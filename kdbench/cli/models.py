"""Commands over models: one that is published, or one that a run has trained."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kdbench.cli.common import (
    CacheRoot,
    Results,
    app,
    cache_root,
    checked_device,
    dataset_names,
    given_params,
    plugins_here,
    say,
)
from kdbench.errors import KdbenchError

MODEL = "openclip"  # what a bare model name stands for; any other teacher is given as `{use: …}`


@app.command()
def evaluate(
    model: Annotated[
        str, typer.Argument(help="A name of open_clip, hf-hub:… or local-dir:…, or a teacher as a suite has it: '{use: …}'.")
    ],
    dataset: Annotated[str, typer.Option("--dataset", "-d", help="The name of a dataset.", autocompletion=dataset_names)],
    params: Annotated[
        list[str] | None, typer.Argument(metavar="[PARAMETER=VALUE]...", help="Parameters of the dataset, such as root=DIR.")
    ] = None,
    pretrained: Annotated[str, typer.Option(help="A tag of open_clip or a checkpoint file.")] = "",
    split: Annotated[str, typer.Option(help="test or validation.")] = "test",
    recall_at: Annotated[str, typer.Option(help="The K of R@K.")] = "1,5,10",
    out: Annotated[Path | None, typer.Option("--out", help="Write CLIP_benchmark's JSON into this file.")] = None,
    cache: CacheRoot = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Rank a published model, or any teacher, on a dataset as it is, without training.

    The metrics have CLIP_benchmark's names; with --out, its `build` reads the file.
    """
    from kdbench.suite.check import plug
    from kdbench.suite.yaml_file import parse_scalar
    from kdbench.tasks.retrieval.clip_benchmark import clip_benchmark_result

    if split not in ("test", "validation"):
        raise KdbenchError(f"--split: found {split!r}, expected test or validation")
    given = given_params(params, dataset)
    teacher = parse_scalar(model, "MODEL") if model.lstrip().startswith("{") else {"use": MODEL, "model": model}
    if pretrained:
        teacher["pretrained"] = pretrained
    loaded = plugins_here()
    data = plug("dataset", {**given, "use": dataset}, "--dataset", loaded).model_dump()
    ranked = plug("teacher", teacher, "MODEL", loaded).model_dump()
    try:
        ks = [int(k) for k in recall_at.split(",")]
    except ValueError:
        raise KdbenchError(f"--recall-at: found {recall_at!r}, expected whole numbers such as 1,5,10") from None

    from kdbench.data.dataset import CachedDataset
    from kdbench.plugins.building import build_planned, building_with
    from kdbench.records.provenance import resolved_device
    from kdbench.runs.teacher_itself import rank_teacher
    from kdbench.storage.cache import Cache

    with building_with(loaded):
        on = resolved_device(checked_device(device))
        opened = CachedDataset(build_planned("dataset", data), Cache(cache_root(cache)), on)
        metrics = rank_teacher(ranked, opened, "test" if split == "test" else "validation").metrics(ks)
    name, tag = str(teacher.get("model", teacher["use"])), str(teacher.get("pretrained", ""))
    result = clip_benchmark_result(dataset, name, tag, metrics)
    for metric, value in metrics.items():
        typer.echo(f"{metric:<28} {value:.4f}" if "@" in metric else f"{metric:<28} {value:.2f}")
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        say(f"Written to {out}")


class Target(StrEnum):
    open_clip = "open_clip"
    onnx = "onnx"


@app.command()
def export(
    run: Annotated[str, typer.Argument(help="A run: its id, the beginning of one, or the path of its record.")],
    to: Annotated[Target, typer.Option("--to", help="open_clip: a folder it loads, with a model card. onnx: two towers.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write.", show_default="exports/RUN-TARGET")] = None,
    int8: Annotated[bool, typer.Option("--int8", help="ONNX towers in int8 as well, their R@K measured again.")] = False,
    results: Results = Path("results"),
    cache: CacheRoot = None,
) -> None:
    """Write the student that a run has trained for use elsewhere, and measure there what was written.

    Refuses to write a model that does not embed as the student does. Latencies of ONNX Runtime join the student's profile.
    """
    from kdbench.deploy.export import export as write
    from kdbench.records.profiles import add_figures
    from kdbench.records.provenance import device_name, host
    from kdbench.records.record import read_ranks, read_record
    from kdbench.reports.inspect import find_run
    from kdbench.storage.cache import Cache

    path = find_run(run, results)
    record = read_record(path)
    folder = out or Path("exports") / f"{record.run_id}-{to.value}"
    expected = read_ranks(path) if record.ranks_sha256 else None
    report = write(record, to.value, folder, plugins_here(), Cache(cache_root(cache)), int8, expected)
    for line in report.lines():
        typer.echo(line)
    if report.latency:
        figures = {f"onnx {name.replace('_', ' ')} ms": round(ms, 4) for name, ms in report.latency.items()}
        here = device_name("cpu"), host()["id"]
        if not add_figures(path.parent.parent, record.spec["suite"], record.spec["student"], here, figures):
            say("The student has no profile on this device that the latencies could join; `kdbench profile SUITE` makes one.")
