"""Plugins with one parameter changed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from kdbench import KdbenchError, Offer
from kdbench.plugins.loading import installed
from kdbench.plugins.parameters import checked_params
from kdbench.testing.variants import NESTED, variants_of


class Mixed:
    """Parameters of every type."""

    def __init__(
        self,
        *,
        title: str = "x",
        share: Annotated[float, Field(ge=0, lt=1)] = 0.5,
        even: int = 4,
        kind: Literal["a", "b"] = "a",
        fast: bool = False,
        pretrained: bool = False,
        maybe: int | None = None,
        sizes: list[int] | None = None,
        config: dict[str, Any] | None = None,
    ) -> None:
        del title, pretrained
        self.params = {
            "share": share,
            "even": even,
            "kind": kind,
            "fast": fast,
            "maybe": maybe,
            "sizes": sizes,
            "config": config,
        }


def check(*, even: int, **_: Any) -> None:
    if even % 2:
        raise KdbenchError(f"even: found {even}")


OFFER: Offer[Any] = Offer("mixed", Mixed, check=check)


def differing(one: Any, other: Any, path: str = "") -> list[str]:
    """Paths at which two parameter maps differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [where for key in one for where in differing(one[key], other[key], f"{path}.{key}")]
    return [] if type(one) is type(other) and one == other else [path]


VALUES = st.integers(-3, 300) | st.floats(-5, 5) | st.booleans() | st.sampled_from(["word", None])
CONFIGS = st.dictionaries(st.sampled_from("abc"), VALUES | st.dictionaries(st.sampled_from("de"), VALUES), max_size=3)


@given(
    even=st.integers(-9, 9).map(lambda n: 2 * n),
    share=st.floats(0, 0.99),
    fast=st.booleans(),
    sizes=st.none() | st.lists(st.integers(1, 64), max_size=3),
    config=st.none() | CONFIGS,
)
def test_each_variant_differs_in_one_valid_value(**params: Any) -> None:
    variants = variants_of(OFFER, params)
    unchanged = variants.unchanged().params
    for name, build in variants.changed.items():
        changed = build().params
        path = name.partition(":")[0]
        assert differing(unchanged, changed) == [f".{path}"]
        checked_params(OFFER, changed)
        assert changed["even"] % 2 == 0
    told = {name.partition(":")[0] for name in variants.changed} | set(variants.untried)
    assert {"title", "share", "even", "kind", "fast", "pretrained", "maybe"} <= told
    assert {"even", "kind", "fast", "share"} <= {name.partition(":")[0] for name in variants.changed}
    assert {"title", "pretrained", "maybe"} <= set(variants.untried)


def test_plugins_in_parameters_are_changed_too() -> None:
    text = {"width": 64, "layers": 1, "heads": 2}
    config = {"embed_dim": 16, "vision_cfg": {"timm_model_name": "test_resnet"}, "text_cfg": text}
    student = {"use": "openclip", "config": config}
    trained = variants_of(installed().find("teacher", "trained").offer, {"student": student, "epochs": 1})
    inner = [name for name in trained.changed if name.startswith("student.")]
    assert 0 < len(inner) <= NESTED
    assert any(name.startswith("epochs: 1 ") for name in trained.changed)


def test_smoke_makes_variants_cheap() -> None:
    offer: Offer[Any] = Offer("mixed", Mixed, smoke=lambda params: params | {"even": 2})
    variants = variants_of(offer, {"even": 1000})
    assert variants.unchanged().params["even"] == 2
    assert variants.changed["even: 2 → 1"]().params["even"] == 1
