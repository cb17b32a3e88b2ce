"""The forecasters that ship, as students: contracts, parameters, and small versions of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from kdbench import KdbenchError, Offer
from kdbench.plugins.parameters import check_deeper, checked_params, construct
from kdbench.testing.findings import insist
from kdbench.testing.forecasting.students import find
from kdbench_plugins.forecasters import mlp_mixer, simvp, st_alternet, unet

OFFERS: dict[str, Offer[Any]] = {
    offer.name: offer for plugin in (mlp_mixer, simvp, st_alternet, unet) for offer in plugin.kdbench_students()
}


@pytest.mark.parametrize("name", OFFERS)
def test_it_keeps_the_contract_of_forecasters(name: str) -> None:
    offer = OFFERS[name]
    insist(find(partial(construct, offer, dict(offer.example))))


@pytest.mark.parametrize("name", OFFERS)
def test_smoke_keeps_what_the_dataset_decides(name: str) -> None:
    offer = OFFERS[name]
    assert offer.smoke is not None
    form: dict[str, Any] = {"history": 3, "horizon": 2, "channels": 2}
    given = checked_params(offer, form | ({"grid": 32} if name == "mlp_mixer" else {}))
    small = construct(offer, checked_params(offer, offer.smoke(given)))
    assert {key: getattr(small, key) for key in form} == form
    assert getattr(small, "grid", (32, 32)) == (32, 32)
    assert sum(parameter.numel() for parameter in small.module.parameters()) < 20_000


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("mlp_mixer", {"grid": 30, "patch": 4}, "found a grid of 30 and patches of 4; expected a multiple of 4"),
        ("simvp", {"kernels": [3, 4]}, "found a kernel of 4 points; expected odd numbers"),
        ("st_alternet", {"hidden": 30, "heads": 4}, "found 30 hidden channels and 4 heads; expected a multiple of 4"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_before_anything_is_built(name: str, params: dict[str, Any], message: str) -> None:
    offer = OFFERS[name]
    with pytest.raises(KdbenchError, match=message):
        check_deeper(offer, checked_params(offer, params))
