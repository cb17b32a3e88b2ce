"""Commands over models: published ones, and those that runs have trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kdbench.cli.common import (
    MODELS,
    RESULTS,
    CacheRoot,
    Format,
    Overrides,
    Results,
    Suite,
    app,
    cache_root,
    given_params,
    plugins_here,
    say,
    show,
    table_width,
)
from kdbench.cli.completion import names_of
from kdbench.cli.engine_options import Device
from kdbench.cli.outputs import output
from kdbench.cli.task_options import task_options
from kdbench.errors import KdbenchError

Run = Annotated[str, typer.Argument(help="A run: its id, the beginning of one, or the path of its record.")]


@app.command(rich_help_panel=MODELS, context_settings={"ignore_unknown_options": True})
def evaluate(
    model: Annotated[
        str, typer.Argument(help="A name of open_clip, hf-hub:… or local-dir:…, or a teacher as in a suite: '{use: …}'.")
    ],
    dataset: Annotated[str, typer.Option("--dataset", "-d", help="Name of a dataset.", autocompletion=names_of("dataset"))],
    params: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PARAMETER=VALUE]... [--SETTING VALUE]...",
            help="Parameters of the dataset, such as root=DIR; settings of its task as options, such as --my-k 1,5 for my_k.",
        ),
    ] = None,
    pretrained: Annotated[str, typer.Option(help="A tag of open_clip or a checkpoint file.")] = "",
    split: Annotated[str, typer.Option(help="test or validation.")] = "test",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A setting of the task, as in a suite's `evaluate:`; may be repeated."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the metrics as JSON, in CLIP_benchmark's form.")] = None,
    cache: CacheRoot = None,
    device: Device = "auto",
) -> None:
    """Evaluate a published model, or any teacher itself, on a dataset.

    `kdbench evaluate ViT-B-32 --pretrained laion2b_s34b_b79k --dataset emoji`
    """
    from kdbench.deploy.evaluation import MODEL, evaluate
    from kdbench.suite.yaml_file import parse_scalar

    if out:
        output(out)
    plugins = plugins_here()
    params, as_options = task_options(params or [], dataset, plugins)
    teacher = parse_scalar(model, "MODEL") if model.lstrip().startswith("{") else {"use": MODEL, "model": model}
    if pretrained:
        teacher["pretrained"] = pretrained
    found = evaluate(
        teacher,
        {**given_params(params, dataset), "use": dataset},
        split=split,
        settings=as_options | given_params(settings, "--set"),
        device=device,
        cache=cache_root(cache),
        plugins=plugins,
    )
    show("\n".join(found.lines()))
    if out:
        name, tag = str(teacher.get("model", teacher["use"])), str(teacher.get("pretrained", ""))
        out.parent.mkdir(parents=True, exist_ok=True)
        written = found.task.result_file(dataset, name, tag, found.metrics)
        out.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
        say(f"Written to {out}")


@app.command(rich_help_panel=MODELS)
def export(
    run: Run,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="An exporter: open_clip (a folder that it loads, with a model card), onnx (two towers), or a plugin's, with "
            "options as in '{use: onnx, int8: true}'.",
            autocompletion=names_of("exporter"),
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write.", show_default="exports/RUN-NAME")] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Quantize to int8 as well: the option int8 of onnx.")] = False,
    results: Results = Path("results"),
    cache: CacheRoot = None,
) -> None:
    """Write the student of a run in another format and evaluate what was written.

    Refuses to write a model whose outputs differ from the student's. Latencies of the exported model join the student's
    profile.
    """
    from kdbench.engines.make import named
    from kdbench.records.files import read_arrays, read_record
    from kdbench.reports.inspect import find_run
    from kdbench.suite.plugin_entries import plug

    plugins = plugins_here()
    name, options = named(to, "--to", "an exporter")
    exporter = plug("exporter", {**options, **({"int8": True} if int8 else {}), "use": name}, "--to", plugins)
    path = find_run(run, results)
    record = read_record(path)

    from kdbench.deploy.export.exporting import export as write
    from kdbench.records.profiles import add_figures
    from kdbench.records.provenance import device_name, host
    from kdbench.storage.cache import Cache

    folder = out or Path("exports") / f"{record.run_id}-{name}"
    expected = read_arrays(path, plugins) if record.arrays_sha256 else None
    report = write(record, exporter, folder, plugins, Cache(cache_root(cache)), expected)
    for line in report.lines():
        show(line)
    if report.latency:
        figures = {f"{name} {part.replace('_', ' ')} ms": round(ms, 4) for part, ms in report.latency.items()}
        spec, device = record.spec, device_name("cpu")
        if not add_figures(path.parent.parent, spec.suite, spec.student, device, host(), figures):
            say("The student has no profile on this device to add the latencies to; `kdbench profile SUITE` makes one.")


@app.command(rich_help_panel=MODELS)
def profile(
    suite: Suite,
    overrides: Overrides = None,
    results: Results = Path("results"),
    cache: CacheRoot = None,
    device: Device = "auto",
    style: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.table,
) -> None:
    """Measure the students of a suite: parameters, FLOPs, latency, memory, search.

    Each is measured once per device. `run` does this at its end. Do it while nothing else computes; measurements on a busy
    machine are marked.
    """
    from kdbench.cli.run import profiled, site, suite_source
    from kdbench.engines.make import make_engine
    from kdbench.engines.suite_run import SuiteRun
    from kdbench.reports import render_students, students_table

    source = suite_source(suite, overrides)
    started = SuiteRun.of(source, site(results, cache, device, None), make_engine(plugins_here()), plugins_here())
    measured = profiled(started)
    if not measured:
        raise KdbenchError(f"no run of {suite} is recorded under {results}; run it first: the gallery is its test split")
    show(render_students(students_table(measured), style.value, table_width()))


@app.command(rich_help_panel=RESULTS)
def inspect(
    run: Run,
    png: Annotated[Path | None, typer.Option("--png", help="Draw it into this file as well.")] = None,
    results: Results = Path("results"),
) -> None:
    """Show weights, losses and gradient conflicts over the steps of one run."""
    from kdbench.records.verify import verify
    from kdbench.reports.inspect import draw, find_run, terminal

    record = find_run(run, results)
    if png:
        output(png)
    if problems := verify([record], plugins_here())[1]:
        raise KdbenchError("\n".join(map(str, problems)))
    show(terminal(record))
    if png:
        draw(record, png)
        say(f"Drawn into {png}")
