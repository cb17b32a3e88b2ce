"""The toys with the first-party plugins that commands need: engines, exporters, reports, attribution."""

from __future__ import annotations

from kdbench.plugins.loading import Plugins
from kdbench_plugins.attributions import shapley
from kdbench_plugins.engines import in_process, local, ray
from kdbench_plugins.exporters import onnx, open_clip
from kdbench_plugins.reports import text_formats
from tests.support.toys import toy_plugins


def add_first_party(plugins: Plugins) -> Plugins:
    """Registers what no suite names but commands do."""
    for module in (in_process, local, ray, onnx, open_clip, text_formats, shapley):
        plugins.register(module, f"kdbench:{module.__name__.rpartition('.')[2]}")
    return plugins


def command_plugins() -> Plugins:
    """The toys as an environment would have them."""
    return add_first_party(toy_plugins())
