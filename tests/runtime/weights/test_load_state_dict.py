"""Weights of state dicts reach the right layers: the outputs are those of the model that they come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.weights import load_weights
from tests.runtime.weights import torch_writer
from tests.runtime.weights.small_network import same, write_safetensors


@pytest.mark.parametrize(
    ("name", "write", "how"),
    [
        ("x.pth", torch_writer.save, "by order"),
        ("x.pth", torch_writer.save_old, "by order"),
        ("x.safetensors", write_safetensors, "module by module"),
    ],
)
def test_a_state_dict_is_matched_and_its_layouts_are_turned(
    name: str, write: Callable[..., Path], how: str, state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    path = write(tmp_path / name, state)
    model = archspec.load(spec).build(weights=path)
    same(model, trained)
    assert load_weights(model, path).how == how


def test_auxiliary_classifiers_that_the_spec_lacks_are_left_out(
    state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    more = {**state, "aux1.fc.weight": np.zeros((3, 8), "float32"), "aux1.fc.bias": np.zeros(3, "float32")}
    model = archspec.load(spec).build()
    matching = load_weights(model, torch_writer.save(tmp_path / "x.pth", more))
    assert [unit.name for unit in matching.unused] == ["aux1.fc"]
    same(model, trained)


@pytest.mark.parametrize(
    ("names", "shape"), [(("weight", "bias"), (4,)), (("gamma", "beta"), (1, 1, 1, 4))], ids=["timm", "authors"]
)
def test_a_factor_and_a_bias_for_each_channel_are_a_1x1_depthwise_convolution(
    names: tuple[str, str], shape: tuple[int, ...], tmp_path: Path
) -> None:
    """GRN of ConvNeXt V2, as timm and the authors' code name it."""
    (tmp_path / "net.yaml").write_text(
        "name: net\ninput: [3, 5, 2]\nlayers: [dense: 4, depthwise_conv: 1, {name: head, dense: 3}]\n"
    )
    random = np.random.default_rng(0)
    shapes = {
        "pwconv1.weight": (4, 2),
        "pwconv1.bias": (4,),
        f"grn.{names[0]}": shape,
        f"grn.{names[1]}": shape,
        "pwconv2.weight": (3, 4),
        "pwconv2.bias": (3,),
    }
    state = {name: random.normal(size=size).astype("float32") for name, size in shapes.items()}
    first, bias1, factor, offset, second, bias2 = state.values()
    model = archspec.load(str(tmp_path / "net.yaml")).build(weights=torch_writer.save(tmp_path / "x.pth", state))
    x = random.normal(size=(2, 3, 5, 2)).astype("float32")
    expected = ((x @ first.T + bias1) * factor + offset) @ second.T + bias2
    np.testing.assert_allclose(model(x), expected, atol=1e-5)


@pytest.mark.parametrize("write", [torch_writer.save, write_safetensors])
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_shortcut_is_known_by_its_name_where_shapes_cannot_tell(
    write: Callable[..., Path], place: str, tmp_path: Path
) -> None:
    """timm registers `downsample` last; its kernel has the shape of the first 1x1 of the body (RegNet)."""
    (tmp_path / "net.yaml").write_text(
        "name: net\ninput: [6, 5, 3]\nlayers:\n"
        "  - {name: block, residual: {body: [conv: {filters: 4, kernel_size: 1, use_bias: false}, relu,"
        " conv: {filters: 4, kernel_size: 1, use_bias: false}],"
        " project: [conv: {filters: 4, kernel_size: 1, use_bias: false}], shortcut: project}}\n"
    )
    random = np.random.default_rng(0)
    conv1, conv2, downsample = (random.normal(size=(4, n, 1, 1)).astype("float32") for n in (3, 4, 3))
    body = {"b.conv1.weight": conv1, "b.conv2.weight": conv2}
    shortcut = {"b.downsample.weight": downsample}
    state = {**shortcut, **body} if place == "first" else {**body, **shortcut}
    file = write(tmp_path / ("x.pth" if write is torch_writer.save else "x.safetensors"), state)
    model = archspec.load(str(tmp_path / "net.yaml")).build(weights=file)
    x = random.normal(size=(2, 6, 5, 3)).astype("float32")
    one, two, other = (kernel[:, :, 0, 0].T for kernel in (conv1, conv2, downsample))
    np.testing.assert_allclose(model(x), np.maximum(x @ one, 0) @ two + x @ other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["pth", "safetensors", "keras"])
def test_a_new_classifier_keeps_its_initial_weights(
    kind: str, state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    path = tmp_path / f"x.{kind}"
    {"pth": torch_writer.save, "safetensors": write_safetensors}.get(kind, lambda path, _: trained.save(path))(
        path, state
    )
    model = archspec.load(spec, classes=3).build()
    head = model.get_layer("dense_2")
    before = head.get_weights()
    with pytest.raises(ArchspecError, match="`classes=6`"):
        load_weights(model, path)
    matching = load_weights(model, path, new_head=True)
    assert [slot.name for slot in matching.kept] == ["dense_2"]
    np.testing.assert_array_equal(head.get_weights()[0], before[0])
    x = np.random.default_rng(1).normal(size=(2, 9, 7, 3)).astype("float32")
    below = [keras.Model(each.input, each.get_layer("relu").output) for each in (model, trained)]
    np.testing.assert_allclose(below[0](x), below[1](x), atol=1e-6)
