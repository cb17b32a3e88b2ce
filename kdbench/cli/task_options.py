"""Settings of a dataset's task given as options: `--my-k 1,5` beside `--set my_k='[1, 5]'`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kdbench.errors import KdbenchError, nearest

if TYPE_CHECKING:
    from kdbench.plugins.loading import Plugins


def task_options(arguments: Sequence[str], dataset: str, plugins: Plugins) -> tuple[list[str], dict[str, Any]]:
    """Arguments that are no options, and the settings that the others give to the task of `dataset`.

    A setting whose default is a list takes `1,5` for `[1, 5]`. Raises KdbenchError for an option that is no setting or has no
    value, PluginError for an unknown dataset.
    """
    from kdbench.plugins.parameters import default_params, params_model

    plain: list[str] = []
    found: dict[str, Any] = {}
    waiting = iter(arguments)
    for argument in waiting:
        if not argument.startswith("-"):
            plain.append(argument)
            continue
        offer = plugins.find("task", plugins.find("dataset", dataset).offer.task).offer
        known = {f"--{name.replace('_', '-')}": name for name in params_model(offer).model_fields}
        option, equals, text = argument.partition("=")
        if option not in known:
            expected = f"an option, or a setting of the task {offer.name}: {', '.join(known)}"
            raise KdbenchError(f"{option}: no such option; expected {expected}. {nearest(option, known)}")
        value = text if equals else next(waiting, None)
        if value is None:
            raise KdbenchError(f"{option}: found no value; expected one, as in {option} VALUE")
        found[known[option]] = _value(value, option, default_params(offer).get(known[option]))
    return plain, found


def _value(text: str, option: str, default: Any) -> Any:
    from kdbench.suite.yaml_file import parse_scalar

    value = parse_scalar(text, option)
    return parse_scalar(f"[{text}]", option) if isinstance(default, list) and not isinstance(value, list) else value
