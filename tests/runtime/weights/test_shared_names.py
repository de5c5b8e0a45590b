"""Layers of equal shapes get the weights of their names, and an order that only the alphabet tells is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import archspec

SPEC = """
name: net
input: [8, 8, 3]
layers:
  - {name: stem, conv: {filters: 3, kernel_size: 1, use_bias: false}}
  - {name: body, conv: {filters: 3, kernel_size: 1, use_bias: false}}
  - global_avgpool
  - dense: 3
  - softmax
"""


def saved(folder: Path, *names: str) -> Path:
    """A file whose kernels are filled with 1, 2, ..., and the spec beside it."""
    (folder / "net.yaml").write_text(SPEC)
    kernels = {f"{name}.weight": np.full((3, 3, 1, 1), value, np.float32) for value, name in enumerate(names, 1)}
    head = {"fc.weight": np.zeros((3, 3), np.float32), "fc.bias": np.zeros(3, np.float32)}
    save_file({**kernels, **head}, folder / "net.safetensors")
    return folder / "net.safetensors"


def test_layers_of_one_name_are_pairs_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    file = saved(tmp_path, "stem", "body")  # sorted by name: body, stem
    model = archspec.build(tmp_path / "net.yaml")
    matching = archspec.load_weights(model, file)
    assert "by name" in matching.how
    assert [float(model.get_layer(name).kernel[0, 0, 0, 0]) for name in ("stem", "body")] == [1, 2]
    assert matching.alphabetical == ()


@pytest.mark.parametrize("names", [("first", "deep"), ("encoder.first", "encoder.deep"), ("one.conv", "another.conv")])
def test_an_order_of_the_alphabet_is_said(tmp_path: Path, names: tuple[str, str]) -> None:
    file = saved(tmp_path, *names)
    matching = archspec.load_weights(archspec.build(tmp_path / "net.yaml"), file)
    modules = sorted(name.removesuffix(".conv") for name in names)
    assert sorted(matching.alphabetical) == modules
    assert f"check the order of `{modules[0]}`, `{modules[1]}`" in matching.describe("net.safetensors")


def test_numbers_tell_the_order(tmp_path: Path) -> None:
    file = saved(tmp_path, "conv2", "conv10")
    model = archspec.build(tmp_path / "net.yaml")
    assert archspec.load_weights(model, file).alphabetical == ()
    assert [float(model.get_layer(name).kernel[0, 0, 0, 0]) for name in ("stem", "body")] == [1, 2]
