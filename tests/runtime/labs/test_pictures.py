"""The pictures of labs: their numbers are those of Keras, and every one can be drawn."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from archspec.declare import arguments
from archspec.runtime.labs.figure_style import figure
from archspec.runtime.labs.lab import Lab
from archspec.runtime.labs.pictures import PICTURES, convolve


@pytest.mark.parametrize("options", [{}, {"strides": 2}, {"dilation_rate": 4}])
def test_the_convolution_of_the_picture_is_that_of_keras(options: dict[str, int]) -> None:
    rng = np.random.default_rng(0)
    signal, kernel = rng.normal(size=33), rng.normal(size=3)
    layer = keras.layers.Conv1D(1, 3, use_bias=False, **options)
    layer.build((None, 33, 1))
    layer.set_weights([kernel[:, None, None]])
    expected = np.asarray(layer(signal[None, :, None].astype(np.float32)))[0, :, 0]
    np.testing.assert_allclose(convolve(signal, kernel, **options), expected, atol=1e-5)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small(name: str, tmp_path: Path) -> None:
    PICTURES[name](tmp_path / "picture.png")
    assert 5_000 < (tmp_path / "picture.png").stat().st_size < 150_000


def test_the_schema_knows_every_picture() -> None:
    schema = next(each.schema for each in arguments(Lab) if each.name == "picture")
    assert set(schema["enum"]) == {"", *PICTURES}


@pytest.mark.parametrize("title", ["m" * 40 + " " + "w" * 30, "Maximum beats average pooling " * 3])
def test_a_title_of_wide_letters_is_not_cut_off(title: str, tmp_path: Path) -> None:
    with figure(tmp_path / "title.png", title):
        pass
    with Image.open(tmp_path / "title.png") as image:
        pixels = np.asarray(image.convert("L"))
    assert pixels[:60].min() < 100
    assert pixels[:60, -8:].min() > 250
