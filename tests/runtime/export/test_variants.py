"""Forms of a network for an export: lower precision, fewer layers, other input sizes, the dense form."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.export.calibration import calibration_images
from archspec.runtime.export.check_images import check_images
from archspec.runtime.export.read_network import read_network
from archspec.runtime.export.variants import at_input_size, at_precision, dense_form, optimized

POOLED = """
name: pooled
input: [8, 8, 3]
layers:
  - {conv: {filters: 4, kernel_size: 3}, name: first}
  - bn
  - relu
  - global_avgpool
  - dense: 5
  - softmax
preprocess: [scale: $(1 / 255), subtract_mean: 0.5]
evaluate: {resize: 10}
"""


def test_calibration_needs_enough_images_that_are_no_noise(run: Path, tmp_path: Path) -> None:
    network = read_network(run)
    noise = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 1), dtype=np.uint8)
    np.savez(tmp_path / "noise.npz", x=noise, y=np.arange(200) % 10)
    np.savez(tmp_path / "small.npz", x=noise[:, :5, :5], y=np.arange(200) % 10)  # smooth after the resize
    np.savez(tmp_path / "few.npz", x=noise[:50], y=np.arange(50) % 10)
    np.savez(tmp_path / "others.npz", x=noise, y=np.arange(200) % 12)
    for data, message in (
        (None, "int8 needs images"),
        (str(tmp_path / "noise.npz"), "are noise"),
        (str(tmp_path / "small.npz"), "are noise"),
        (str(tmp_path / "few.npz"), "has 50 images"),
        (str(tmp_path / "others.npz"), "help: give images of the classes that the network was trained on"),
    ):
        with pytest.raises(ArchspecError, match=message):
            calibration_images(network, data, 0, print)
    assert calibration_images(network, "digits", 0, print).shape == (500, 8, 8, 1)


def test_a_precision_that_the_format_lacks_is_refused_first(tmp_path: Path) -> None:
    with pytest.raises(ArchspecError) as caught:
        archspec.export(tmp_path / "none.keras", tmp_path / "out", format="keras", precision="int8")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.help) == ("precision", '`format="litert"` has it')


def test_the_optimized_network_has_fewer_layers_and_absorbs_the_normalization(run: Path) -> None:
    network = read_network(run, ["grouped"])
    x = check_images(network, None)
    for takes_pixels, inputs in ((True, x.pixels), (False, x.inputs)):
        found, rewrites = optimized(network, takes_pixels=takes_pixels)
        assert not [layer for layer in found.model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        assert ("1 input normalization absorbed by the first layer" in rewrites) == takes_pixels
        np.testing.assert_allclose(found.main_value(inputs), network.main_value(x.inputs), atol=1e-5)
        grouped = found.values(inputs)["grouped"], network.values(x.inputs)["grouped"]
        np.testing.assert_allclose(*grouped, atol=1e-4)


def test_other_input_sizes_and_the_dense_network_have_the_same_weights(tmp_path: Path) -> None:
    (tmp_path / "pooled.yaml").write_text(POOLED)
    archspec.load(str(tmp_path / "pooled.yaml")).save(tmp_path / "pooled.keras")
    network = read_network(tmp_path / "pooled.keras")
    larger, free = at_input_size(network, 12, ["first"]), at_input_size(network, "free")
    assert (larger.input_shape, free.input_shape) == ((12, 12, 3), (None, None, 3))
    assert (larger.metadata.resize, free.metadata.resize) == (15, 10)
    x = np.random.default_rng(0).normal(size=(2, 12, 12, 3)).astype(np.float32)
    np.testing.assert_allclose(larger.main_value(x), free.main_value(x), atol=1e-6)
    assert larger.values(x)["first"].shape == (2, 10, 10, 4)
    dense = dense_form(network)
    small = x[:, :8, :8]
    np.testing.assert_allclose(dense.main_value(small), network.main_value(small), atol=1e-6)
    assert optimized(dense, takes_pixels=True)[0].input_shape == (None, None, 3)
    assert check_images(dense, None).pixels.shape[1:] == (8, 8, 3)
    half = at_precision(network, "bfloat16")
    assert {each.dtype for each in half.model.weights} == {"bfloat16"}
    np.testing.assert_allclose(half.main_value(small), network.main_value(small), atol=2e-2)
