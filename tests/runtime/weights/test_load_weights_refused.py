"""Weights that do not fit: one error that says why, and a model that is as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archspec
from archspec.runtime.weights import load_weights
from tests.runtime.weights import torch_writer
from tests.runtime.weights.small_network import unchanged, write_safetensors


def test_weights_of_another_network_are_refused_with_a_table(state: dict[str, Any], spec: str, tmp_path: Path) -> None:
    state = {**state, "units.0.dw.weight": np.zeros((8, 1, 5, 1), "float32")}
    path = torch_writer.save(tmp_path / "x.pth", state)
    model = archspec.load(spec).build()
    error = unchanged(model, lambda: load_weights(model, path))
    assert error.diagnostics[0].code == "weights-mismatch"
    assert "≠  units.1.unit.depthwise_conv (depthwise 3x1x8x1 + 8)" in str(error)
    assert "units.0.dw (conv 5x1x1x8 + 8)" in str(error)


@pytest.mark.parametrize(
    ("parts", "call"),
    [
        (("weight_orig", "weight_mask"), "torch.nn.utils.prune.remove"),
        (("weight_g", "weight_v"), "torch.nn.utils.remove_weight_norm"),
        (("weight_orig", "weight_u", "weight_v"), "torch.nn.utils.remove_spectral_norm"),
        (("parametrizations.weight.original0", "parametrizations.weight.original1"), "remove_parametrizations"),
    ],
)
def test_weights_in_parts_are_named_with_the_way_to_join_them(
    parts: tuple[str, ...], call: str, state: dict[str, Any], spec: str, tmp_path: Path
) -> None:
    """The names are those of torch.nn.utils, version 2.13."""
    state = dict(state)
    kernel = state.pop("units.0.dw.weight")
    state |= {f"units.0.dw.{part}": kernel for part in parts}
    model = archspec.load(spec).build()
    error = unchanged(model, lambda: load_weights(model, torch_writer.save(tmp_path / "x.pth", state)))
    assert error.diagnostics[0].code == "weights-mismatch"
    assert call in str(error.diagnostics[0].help)


def test_nothing_is_set_when_the_last_tensor_cannot_be_read(state: dict[str, Any], spec: str, tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "x.safetensors", state)
    whole = torch_writer.save(tmp_path / "x.pth", state).read_bytes()
    last = state["head.fc2.bias"].tobytes()
    assert whole.count(last) == 1
    (tmp_path / "x.pth").write_bytes(whole.replace(last, bytes(len(last))))  # its checksum is wrong now
    model = archspec.load(spec).build()
    error = unchanged(model, lambda: load_weights(model, tmp_path / "x.pth"))
    assert error.diagnostics[0].code == "weights-damaged"
    path.write_bytes(path.read_bytes()[:-1])
    assert "not fully covered" in str(unchanged(model, lambda: load_weights(model, path)))


def test_a_scalar_is_no_kernel(state: dict[str, Any], spec: str, tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "x.safetensors", {**state, "units.0.dw.weight": np.zeros((), "float32")})
    model = archspec.load(spec).build()
    assert unchanged(model, lambda: load_weights(model, path)).diagnostics[0].code == "weights-mismatch"


def test_hdf5_that_points_to_other_files_is_refused(trained: Any, spec: str, tmp_path: Path) -> None:
    import h5py

    trained.save_weights(tmp_path / "x.weights.h5")
    with h5py.File(tmp_path / "x.weights.h5", "a") as file:
        variables = file["layers/dense/vars"]
        shape = variables["0"].shape
        del variables["0"]
        variables["0"] = h5py.ExternalLink("/etc/hostname", "/")
    model = archspec.load(spec).build()
    error = unchanged(model, lambda: load_weights(model, tmp_path / "x.weights.h5"))
    assert "not an array of numbers stored in this file" in str(error)
    with h5py.File(tmp_path / "x.weights.h5", "a") as file:
        variables = file["layers/dense/vars"]
        del variables["0"]
        variables.create_dataset("0", shape, "float32", external=[(str(tmp_path / "secret"), 0, h5py.h5f.UNLIMITED)])
    assert "not an array of numbers" in str(unchanged(model, lambda: load_weights(model, tmp_path / "x.weights.h5")))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("missing.pth", "weights-not-found"),
        ("x.npz", "weights-unknown"),
        ("x.h5", "not-weights"),
        ("x.weights.h5", "not-weights"),
        ("x.keras", "not-a-model"),
        (".", "weights-not-found"),
        ("keras:ResNet51", "unknown-application"),
        ("keras:imagenet", "unknown-application"),
    ],
)
def test_each_wrong_source_has_its_own_error(
    name: str, code: str, spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for suffix in ("npz", "h5", "weights.h5", "keras"):
        (tmp_path / f"x.{suffix}").write_text("something else")
    model = archspec.load(spec).build()
    assert unchanged(model, lambda: load_weights(model, name)).diagnostics[0].code == code


def test_a_failing_download_is_said(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*arguments: Any, **named: Any) -> Any:
        raise Exception("URL fetch failure on https://example.org/resnet50.h5: None -- Name or service not known")

    for module in ("resnet", "vgg16"):
        monkeypatch.setattr(f"keras.src.applications.{module}.file_utils.get_file", offline)
    model = archspec.load(spec).build()
    error = unchanged(model, lambda: load_weights(model, "keras:vgg16"))
    assert error.diagnostics[0].code == "download"
    assert "Name or service not known" in str(error)
    assert "download the file on another machine" in str(error)
