"""Options that say where runs and trials execute."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from kdbench.errors import KdbenchError

if TYPE_CHECKING:
    from kdbench.engines.choice import Where


class Engine(StrEnum):
    local = "local"
    ray = "ray"


def addresses(incomplete: str) -> list[tuple[str, str]]:
    known = [("auto", "the cluster of this machine"), ("ray://", "HOST:10001, from outside a cluster")]
    return [(value, text) for value, text in known if value.startswith(incomplete)]


def resources_examples(incomplete: str) -> list[str]:
    return [text for text in ("{cpus: 1}", "{gpus: 0.5}", "{memory: 4GB}") if text.startswith(incomplete)]


Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, help="Runs at a time.", show_default="cores; 1 on a GPU; what a cluster has room for"),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
EngineName = Annotated[
    Engine,
    typer.Option(
        help="Where runs execute: [bold]local[/bold], in processes of this machine; [bold]ray[/bold], as tasks of a Ray "
        "cluster, whose nodes share --results and --cache under the same paths."
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="With --engine ray: a cluster that is there, as auto, HOST:PORT or ray://HOST:10001.",
        show_default="RAY_ADDRESS, else a cluster on this machine while the runs take",
        autocompletion=addresses,
    ),
]
Asked = Annotated[
    str | None,
    typer.Option(
        help="With --engine ray: what each run declares, such as '{cpus: 1, gpus: 0.5, memory: 4GB}'.",
        show_default="1 CPU; 1 GPU on cuda",
        autocompletion=resources_examples,
    ),
]


def where(engine: Engine, address: str | None, resources: str | None) -> Where:
    """What a session is told of its engine."""
    from kdbench.engines.choice import Where
    from kdbench.engines.resources import Resources, parse_resources

    for option, given in (("--address", address), ("--resources", resources)):
        if engine is Engine.local and given is not None:
            raise KdbenchError(f"{option}: found {given!r} without --engine ray, which it belongs to; add that or leave it out")
    asked = Resources() if resources is None else parse_resources(resources)
    return Where(engine.value, address, asked)
