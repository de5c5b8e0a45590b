"""Quantized weights are refused, not read as plain numbers; counters and buffers of integers are accepted."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.weights import load_weights
from archspec.runtime.weights.torch_file import torch_file
from tests.runtime.weights import torch_writer
from tests.runtime.weights.small_network import same, write_safetensors
from tests.runtime.weights.torch_writer import Call, Global


def int8(state: dict[str, Any]) -> dict[str, Any]:
    """Kernels as integers, as a tool for deployment stores them."""
    return {name: np.rint(array * 10).astype("int8") if array.ndim > 1 else array for name, array in state.items()}


def with_scales(state: dict[str, Any]) -> dict[str, Any]:
    kernels = {name: array for name, array in state.items() if array.ndim > 1}
    return {**int8(state), **{f"{name}_scale": np.ones(len(array), "float32") for name, array in kernels.items()}}


def write_pickle(path: Path, state: dict[str, Any]) -> Path:
    path.write_bytes(pickle.dumps(state))
    return path


def write_float8(path: Path, state: dict[str, Any]) -> Path:
    header = {"conv.weight": {"dtype": "F8_E4M3", "shape": [4, 3], "data_offsets": [0, 12]}}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(12))
    return path


@pytest.mark.parametrize("write", [torch_writer.save, torch_writer.save_old, write_safetensors, write_pickle])
@pytest.mark.parametrize("change", [int8, with_scales])
def test_integers_in_place_of_kernels_are_refused(
    write: Any, change: Any, state: dict[str, Any], spec: str, tmp_path: Path
) -> None:
    file = tmp_path / "x"
    write(file, change(state))
    model = archspec.load(spec).build()
    before = model.get_weights()
    with pytest.raises(ArchspecError, match="int8") as caught:
        load_weights(model, file)
    assert caught.value.diagnostics[0].code == "weights-quantized"
    assert all(map(np.array_equal, before, model.get_weights()))


def test_types_of_8_bits_and_quantized_tensors_of_pytorch_are_refused(spec: str, tmp_path: Path) -> None:
    model = archspec.load(spec).build()
    quantized = Call(Global("torch._utils", "_rebuild_qtensor"), 1, 2)
    torch_writer.save(tmp_path / "q.pth", {"conv.weight": quantized})
    write_float8(tmp_path / "f8.safetensors", {})
    for name in ("q.pth", "f8.safetensors"):
        with pytest.raises(ArchspecError) as caught:
            load_weights(model, tmp_path / name)
        assert caught.value.diagnostics[0].code == "weights-quantized"


def test_a_checkpoint_with_counters_and_index_buffers_is_read(
    state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    counters = {"units.0.bn1.num_batches_tracked": np.array(3), "relative_position_index": np.arange(9).reshape(3, 3)}
    torch_writer.save(tmp_path / "x.pth", {**state, **counters})
    with torch_file(tmp_path / "x.pth") as sets:
        assert {tensor.quantized for name, tensor in sets[0].tensors.items() if name in counters} == {True}
    model = archspec.load(spec).build()
    matching = load_weights(model, tmp_path / "x.pth")
    same(model, trained)
    assert [unit.name for unit in matching.unused] == ["relative_position_index"]


def test_a_negative_variance_is_said(state: dict[str, Any], spec: str, tmp_path: Path) -> None:
    name = next(name for name in state if name.endswith("running_var"))
    torch_writer.save(tmp_path / "x.pth", {**state, name: -state[name]})
    matching = load_weights(archspec.load(spec).build(), tmp_path / "x.pth")
    assert f"warning: negative values in moving_variance of `{name.rpartition('.')[0]}`" in matching.describe("x.pth")
