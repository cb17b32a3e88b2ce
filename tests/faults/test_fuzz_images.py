"""10,000 picture files of each kind: whole ones are read, damaged ones refused wherever the format shows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.support import picture_properties as properties
from tests.support.fuzzing import many
from tests.support.picture_inputs import FORMATS, MODES, Damage, damages, file_of, pictures

pytestmark = pytest.mark.fault("a strange or damaged picture file")

ANY = ("lost", "zeroed", "changed", "cut", "ended")


@given(pictures(), st.sampled_from(list(FORMATS)), st.sampled_from(MODES))
@many
def test_whole_files(picture: Image.Image, name: str, mode: str) -> None:
    properties.undamaged_is_read(picture, name, mode)


@given(pictures(8, 40), st.sampled_from(["jpeg", "jpeg-optimized", "jpeg-restarts"]), damages(ANY[:3], 0, 24))
@many
def test_jpeg_against_a_slow_reader(picture: Image.Image, name: str, damage: Damage) -> None:
    properties.jpeg_agrees(picture, name, damage)


@given(pictures(8, 60), st.sampled_from(properties.WITH_CHECKSUMS), damages(ANY, 1, 60))
@many
def test_checksums(picture: Image.Image, name: str, damage: Damage) -> None:
    properties.checksums_show_everything(picture, name, damage)


@given(pictures(100, 140, noise=20), st.sampled_from(list(properties.SHOWS)), damages(("lost", "zeroed"), 512, 1024))
@many
def test_losses(picture: Image.Image, name: str, damage: Damage) -> None:
    properties.losses_show(picture, name, damage)


@given(pictures(8, 60), st.sampled_from(list(FORMATS)), st.sampled_from(MODES), damages(ANY, 1, 60))
@many
def test_no_other_error(picture: Image.Image, name: str, mode: str, damage: Damage) -> None:
    properties.only_kdbench_errors(damage.of(file_of(picture, name, mode)))
