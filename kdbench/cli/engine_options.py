"""Options that say where runs and trials execute."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from kdbench.cli.common import plugins_here
from kdbench.errors import KdbenchError

if TYPE_CHECKING:
    from kdbench.contracts import Engine
    from kdbench.plugins.loading import Plugins


def engine_names(incomplete: str) -> list[tuple[str, str]]:
    """Completions of --engine."""
    return [(name, one.offer.summary) for name, one in plugins_here().offers("engine").items() if name.startswith(incomplete)]


def addresses(incomplete: str) -> list[tuple[str, str]]:
    """Completions of --address."""
    known = [("auto", "the cluster of this machine"), ("ray://", "HOST:10001, from outside a cluster")]
    return [(value, text) for value, text in known if value.startswith(incomplete)]


def resources_examples(incomplete: str) -> list[str]:
    """Completions of --resources."""
    return [text for text in ("{cpus: 1}", "{gpus: 0.5}", "{memory: 4GB}") if text.startswith(incomplete)]


Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", min=1, help="Number of runs at a time.", show_default="cores; 1 on a GPU; what a cluster has room for"
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
IN_PROCESS = "in_process"  # the engine of --debug
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=0.1,
        help="Seconds after which a run, a trial or the preparation of a teacher is stopped with all its processes, and fails.",
        show_default="the suite's `timeout`",
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help="Where runs execute: `local`, in processes of this machine; `ray`, as tasks of a Ray "
        "cluster, whose nodes share --results and --cache under the same paths; or a plugin's engine, with its options as in "
        "'{use: ray, address: auto}'.",
        autocompletion=engine_names,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="With --engine ray: an existing cluster, as auto, HOST:PORT or ray://HOST:10001.",
        show_default="RAY_ADDRESS, else a cluster on this machine for the duration of the runs",
        autocompletion=addresses,
    ),
]
Resources = Annotated[
    str | None,
    typer.Option(
        help="With --engine ray: what each run reserves, such as '{cpus: 1, gpus: 0.5, memory: 4GB}'.",
        show_default="1 CPU; 1 GPU on cuda",
        autocompletion=resources_examples,
    ),
]


def chosen_engine(plugins: Plugins, engine: str, address: str | None = None, resources: str | None = None) -> Engine:
    """The engine that --engine names, with its options. Raises KdbenchError, naming the option, if one does not fit."""
    from kdbench.engines.make import make_engine, named
    from kdbench.suite.plugin_entries import plug

    name, options = named(engine, "--engine", "an engine")
    make_engine(plugins, name, options, "--engine")
    if address is not None:
        _check_has(plugins, name, "--address", address, ["address"])
        options["address"] = address
    if resources is not None:
        more = _map(resources)
        _check_has(plugins, name, "--resources", resources, more)
        plug("engine", {**more, "use": name}, "--resources", plugins)
        options |= more
    return make_engine(plugins, name, options, "--engine")


def _map(text: str) -> dict[str, object]:
    from kdbench.suite.yaml_file import parse_scalar

    given = parse_scalar(text, "--resources")
    if not isinstance(given, dict):
        raise KdbenchError(f"--resources: found {text!r}, expected a map such as '{{cpus: 1, gpus: 0.5, memory: 4GB}}'")
    return given


def _check_has(plugins: Plugins, name: str, option: str, given: str, parameters: Iterable[str]) -> None:
    """Raises KdbenchError if the engine has none of these parameters but another engine has, or if it has none at all."""
    from kdbench.plugins.parameters import params_model

    known = {other: params_model(listed.offer).model_fields for other, listed in plugins.offers("engine").items()}
    having = [other for other, fields in known.items() if set(parameters) & set(fields)]
    if not known[name] or (having and name not in having):
        others = " or ".join(f"--engine {other}" for other in having or filter(known.get, known)) or "an engine with options"
        raise KdbenchError(f"{option}: found {given!r} without {others}; add that or leave {option} out")
