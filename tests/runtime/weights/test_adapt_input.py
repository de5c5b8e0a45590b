"""`adapt_input`: the first kernel of RGB weights for other numbers of input channels, as timm's adapt_input_conv."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archspec
from archspec.runtime.weights import load_weights
from tests.runtime.weights import torch_writer
from tests.runtime.weights.small_network import unchanged, write_safetensors


@pytest.mark.parametrize("kind", ["pth", "safetensors", "keras"])
@pytest.mark.parametrize("channels", [1, 2, 4, 7])
def test_the_first_kernel_is_summed_or_repeated(
    kind: str, channels: int, state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    path = tmp_path / f"x.{kind}"
    if kind == "keras":
        trained.save(path)
    else:
        {"pth": torch_writer.save, "safetensors": write_safetensors}[kind](path, state)
    model = archspec.load(spec, input=[9, 7, channels]).build()
    error = unchanged(model, lambda: load_weights(model, path))
    assert "`adapt_input=True`" in (error.diagnostics[0].help or "")
    matching = load_weights(model, path, adapt_input=True)
    rgb = state["stem.conv.weight"]  # (out, 3, H, W)
    expected = (
        rgb.sum(axis=1, keepdims=True)
        if channels == 1
        else np.tile(rgb, (1, 3, 1, 1))[:, :channels] * np.float32(3 / channels)
    )
    np.testing.assert_allclose(model.get_layer("conv").kernel, expected.transpose(2, 3, 1, 0), rtol=1e-6)
    assert "input channels" in matching.describe("x")
    np.testing.assert_array_equal(model.get_layer("dense_2").bias, trained.get_layer("dense_2").bias)


def test_weights_that_fit_are_not_adapted(state: dict[str, Any], spec: str, tmp_path: Path) -> None:
    model = archspec.load(spec).build()
    matching = load_weights(model, torch_writer.save(tmp_path / "x.pth", state), adapt_input=True)
    assert matching.adapted == ""


def test_a_gray_image_gives_the_output_of_the_same_image_in_rgb(
    state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    path = torch_writer.save(tmp_path / "x.pth", state)
    model = archspec.load(spec, input=[9, 7, 1]).build()
    load_weights(model, path, adapt_input=True)
    x = np.random.default_rng(2).normal(size=(2, 9, 7, 1)).astype("float32")
    np.testing.assert_allclose(model(x), trained(np.repeat(x, 3, axis=-1)), atol=1e-5)


def test_adapted_weights_with_a_map_of_layers(state: dict[str, Any], trained: Any, spec: str, tmp_path: Path) -> None:
    from archspec.runtime.weights.initial_weights import initialize_from

    trained.save(tmp_path / "x.keras")
    network = archspec.load(spec, input=[9, 7, 1])
    model = network.build()
    transfer = initialize_from(model, network.graph(), str(tmp_path / "x.keras"), ["conv"], adapt_input=True)
    assert any("summed over its 3 input channels" in line for line in transfer.table())
    expected = np.asarray(trained.get_layer("conv").kernel).sum(axis=-2, keepdims=True)
    np.testing.assert_allclose(model.get_layer("conv").kernel, expected, rtol=1e-6)
