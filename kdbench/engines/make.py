"""Builds engines by name, and parses command-line options that name a plugin."""

from __future__ import annotations

from collections.abc import Mapping

from kdbench.contracts import Engine
from kdbench.errors import KdbenchError
from kdbench.plugins.loading import Plugins
from kdbench.plugins.parameters import construct
from kdbench.suite.plugin_entries import plug
from kdbench.suite.yaml_file import parse_scalar

LOCAL = "local"  # the default engine


def make_engine(
    plugins: Plugins, name: str = LOCAL, options: Mapping[str, object] | None = None, source: str = "engine"
) -> Engine:
    """Builds the engine of that name with its options.

    Raises KdbenchError, naming `source`, if there is no such engine or an option is invalid.
    """
    spec = plug("engine", {**(options or {}), "use": name}, source, plugins)
    engine: Engine = construct(plugins.find("engine", spec.use).offer, spec.params)
    return engine


def named(text: str, option: str, what: str) -> tuple[str, dict[str, object]]:
    """A plugin's name and parameters from a name such as `wandb`, or YAML such as `{use: wandb, project: mine}`.

    `what` is the kind for messages, such as "a tracker". Raises KdbenchError, naming the option, if `text` is neither.
    """
    given = parse_scalar(text, option)
    params = {"use": given} if isinstance(given, str) else given
    if not isinstance(params, dict) or not isinstance(params.get("use"), str):
        raise KdbenchError(f"{option}: found {text!r}, expected {what}'s name or a map such as {{use: NAME, …}}")
    return params["use"], {name: value for name, value in params.items() if name != "use"}
