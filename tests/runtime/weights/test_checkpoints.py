"""Training checkpoints: other objects beside the weights, several sets of weights, tensors of no layer."""

from __future__ import annotations

import argparse
import collections
import datetime
import pathlib
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.weights import load_weights
from archspec.runtime.weights.torch_file import torch_file
from tests.runtime.weights import torch_writer
from tests.runtime.weights.small_network import same, unchanged, write_safetensors
from tests.runtime.weights.torch_writer import Call, Global


class Options:
    """A configuration object of a training script."""

    def __init__(self) -> None:
        self.rate, self.names = 0.1, ["a", "b"]


def checkpoint(state: Any) -> dict[str, Any]:
    """As those of timm, Lightning and detection code."""
    numpy_scalar = Call(
        Global("numpy.core.multiarray", "scalar"), Call(Global("numpy", "dtype"), "f8", False, True), b"8"
    )
    return {
        "epoch": 7,
        "arch": "small",
        "args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("runs/1"), opts=Options()),
        "best": numpy_scalar,
        "milestones": collections.Counter({30: 1, 60: 1}),
        "losses": collections.defaultdict(list, train=[1.0, 0.5]),
        "queue": collections.deque([1, 2], maxlen=4),
        "seen": {3, 4},
        "steps": range(3),
        "skip": re.compile("a+"),
        "device": Call(Global("torch", "device"), "cuda", 0),
        "size": Call(Global("torch", "Size"), (3, 4)),
        "dtype": Global("torch", "float32"),
        "when": datetime.datetime(2024, 5, 1),
        "generator": Call(Global("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"), 1),
        "mode": Call(Global("recipes.modes", "Mode"), 2),
        "rng_state": np.zeros(40, "int64"),
        "python_rng": (3, tuple(range(625)), None),
        "optimizer": {"state": {0: {"exp_avg": np.zeros((8, 3, 3, 1), "float32")}}, "param_groups": [{"lr": 0.1}]},
        "state_dict": state,
    }


@pytest.mark.parametrize("write", [torch_writer.save, torch_writer.save_old])
@pytest.mark.parametrize("name", ["x.ckpt", "x.pth.tar", "x.tar", "x", "x.safetensors", "x.h5", "x.keras"])
def test_the_contents_of_a_file_tell_its_format(
    write: Any, name: str, state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    model = archspec.load(spec).build()
    matching = load_weights(model, write(tmp_path / name, checkpoint(state)))
    same(model, trained)
    assert (matching.chosen, matching.others) == ("state_dict", ())


def test_hdf5_and_safetensors_are_known_by_their_contents_too(
    state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    trained.save_weights(tmp_path / "x.weights.h5")
    write_safetensors(tmp_path / "x.safetensors", state)
    for name in ("x.weights.h5", "x.safetensors"):
        shutil.copy(tmp_path / name, tmp_path / "file")
        model = archspec.load(spec).build()
        load_weights(model, tmp_path / "file")
        same(model, trained)


def test_arrays_of_numpy_in_a_pickle_are_weights(
    state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    for protocol in (2, 4, 5):
        (tmp_path / "x.pkl").write_bytes(pickle.dumps({"model": state, "by": "me"}, protocol=protocol))
        model = archspec.load(spec).build()
        load_weights(model, tmp_path / "x.pkl")
        same(model, trained)


@pytest.mark.parametrize(
    "value",
    [
        Call(Global("__main__", "Payload"), "touch x"),
        {"cfg": Call(Global("numpy", "load"), "x.npy")},
        Global("builtins", "eval"),
        [Call(Global("copyreg", "_reconstructor"), Global("subprocess", "Popen"), Global("builtins", "object"), None)],
        Call(Global("torch", "hub.load"), "x"),
    ],
)
def test_any_other_name_is_refused(value: Any, state: dict[str, Any], tmp_path: Path) -> None:
    path = torch_writer.save(tmp_path / "x.pth", {"state_dict": state, "extra": value})
    with pytest.raises(ArchspecError, match=r"weights-unsafe") as caught, torch_file(path):
        pass
    assert "calls `" in str(caught.value)


def test_a_tensor_beside_the_set_is_named(state: dict[str, Any], trained: Any, spec: str, tmp_path: Path) -> None:
    path = torch_writer.save(tmp_path / "x.pth", {"state_dict": state, "scale": np.ones((6, 4), np.float32)})
    model = archspec.load(spec).build()
    assert "not used: `scale`" in load_weights(model, path).describe(str(path))
    same(model, trained)


def doubled(state: dict[str, Any]) -> dict[str, Any]:
    return {name: 2 * array for name, array in state.items()}


@pytest.mark.parametrize(
    ("keys", "taken"),
    [
        (("model_ema", "model"), "model"),
        (("state_dict_ema", "state_dict"), "state_dict"),
        (("params_ema", "params"), "params"),
        (("ema", "net"), "net"),
    ],
)
def test_the_choice_among_several_sets_is_named(
    keys: tuple[str, str], taken: str, state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    path = torch_writer.save(tmp_path / "x.pth", {keys[0]: doubled(state), keys[1]: state})
    model = archspec.load(spec).build()
    matching = load_weights(model, path)
    same(model, trained)
    assert f"weights `{taken}` of {path}, " in matching.describe(str(path))
    assert f"not taken: `{path}#{keys[0]}`" in matching.describe(str(path))
    load_weights(model, f"{path}#{keys[0]}")
    bias = next(weight for weight in model.get_layer("dense_2").weights if weight.path.endswith("bias"))
    np.testing.assert_allclose(bias, 2 * state["head.fc2.bias"])
    with pytest.warns(UserWarning, match=f"not taken: `.*#{keys[0]}`"):
        archspec.load(spec).build(weights=path)


def test_two_networks_that_both_fit_must_be_chosen(
    state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    model = archspec.load(spec).build()
    path = torch_writer.save(tmp_path / "x.pth", {"teacher": doubled(state), "student": state})
    error = unchanged(model, lambda: load_weights(model, path))
    assert error.diagnostics[0].code == "several-weights"
    assert f"`{path}#teacher`, `{path}#student`" in (error.diagnostics[0].help or "")
    load_weights(model, f"{path}#student")
    same(model, trained)
    flat = {f"{word}.{name}": array for word in ("teacher", "student") for name, array in state.items()}
    path = torch_writer.save(tmp_path / "y.pth", {"state_dict": flat})
    assert "`state_dict.teacher`, `state_dict.student`" in str(unchanged(model, lambda: load_weights(model, path)))
    matching = load_weights(model, f"{path}#state_dict.student")
    same(model, trained)
    assert not matching.unused
    error = unchanged(model, lambda: load_weights(model, f"{path}#state_dict.studen"))
    assert "did you mean `state_dict.student`?" in str(error)


def test_only_the_set_that_fits_is_taken(state: dict[str, Any], trained: Any, spec: str, tmp_path: Path) -> None:
    small = {"conv.weight": np.ones((4, 3, 1, 1), "float32"), "fc.weight": np.ones((2, 4), "float32")}
    model = archspec.load(spec).build()
    matching = load_weights(model, torch_writer.save(tmp_path / "x.pth", {"model": small, "big": state}))
    same(model, trained)
    assert (matching.chosen, matching.others) == ("big", ("model",))


def test_parts_of_a_network_in_dictionaries_of_their_own(
    state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    parts: dict[str, dict[str, Any]] = {"backbone": {}, "head": {}}
    for name, array in state.items():
        parts["head" if name.startswith("head") else "backbone"][name.removeprefix("head.")] = array
    model = archspec.load(spec).build()
    matching = load_weights(model, torch_writer.save(tmp_path / "x.pth", {"model": parts}))
    same(model, trained)
    assert not matching.others


@pytest.mark.parametrize("write", [torch_writer.save, write_safetensors])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_tensors_of_no_layer_are_left_out_and_named(
    write: Any, prefix: str, state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    """W04: a loss, a normalization of the input, the counters of thop."""
    extra = {
        "criterion.weight": np.ones(6, "float32"),
        "normalize.mean": np.zeros((1, 3, 1, 1), "float32"),
        "normalize.std": np.ones((1, 3, 1, 1), "float32"),
        "total_ops": np.zeros(1, "float64"),
        **{f"{name.rpartition('.')[0]}.total_params": np.zeros(1, "float64") for name in state},
    }
    path = write(tmp_path / "x.file", {**{f"{prefix}{name}": array for name, array in state.items()}, **extra})
    model = archspec.load(spec).build()
    text = load_weights(model, path).describe(str(path))
    same(model, trained)
    assert "not used: " in text
    for word in ("criterion", "normalize", "total_ops", "`total_params` ("):
        assert word in text


@pytest.mark.parametrize(
    "extra",
    [
        {"units.0.extra.weight": np.ones((8, 8, 1, 1), "float32")},
        {"units.0.gamma": np.ones(8, "float32")},
        {"units.2.conv1.weight": np.ones((8, 8, 3, 3), "float32")},
        {"neck.weight": np.ones((8, 8), "float32")},
    ],
)
def test_a_layer_of_another_network_stays_an_error(
    extra: dict[str, Any], state: dict[str, Any], spec: str, tmp_path: Path
) -> None:
    model = archspec.load(spec).build()
    error = unchanged(model, lambda: load_weights(model, torch_writer.save(tmp_path / "x.pth", {**state, **extra})))
    assert error.diagnostics[0].code == "weights-mismatch"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers_are_said(value: float, state: dict[str, Any], spec: str, tmp_path: Path) -> None:
    model = archspec.load(spec).build()
    broken = {**state, "head.fc1.bias": np.full(10, value, "float32")}
    text = load_weights(model, torch_writer.save(tmp_path / "x.pth", broken)).describe("x.pth")
    assert "warning: NaN or infinity in bias of `head.fc1`" in text
    all_nan = {name: np.full_like(array, np.nan) for name, array in state.items() if array.dtype == "float32"}
    text = load_weights(model, torch_writer.save(tmp_path / "x.pth", all_nan)).describe("x.pth")
    assert "warning: NaN or infinity in every array" in text


@pytest.mark.parametrize(
    ("name", "contents", "fact"),
    [
        ("x.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        ("x.pth", b"\n<!DOCTYPE html><html>", "web page"),
        ("x.pth.gz", b"\x1f\x8b\x08\x00", "gunzip"),
        ("x.tar", b"\0" * 257 + b"ustar\0", "tar archive"),
        ("x.tflite", b"\0\0\0\0TFL3", "TensorFlow Lite"),
        ("x.index", b"\0" * 40 + bytes.fromhex("57fb808b247547db"), "TensorFlow checkpoint"),
        ("x", b"something", "not a weight file of a known format"),
    ],
)
def test_files_of_other_formats_are_named_with_the_way_out(
    name: str, contents: bytes, fact: str, spec: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(ArchspecError) as caught:
        archspec.load(spec).save(tmp_path / "out.keras", weights=tmp_path / name)
    assert caught.value.diagnostics[0].code == "weights-unknown"
    assert caught.value.diagnostics[0].help
    assert fact in str(caught.value)


def test_archives_and_folders_are_named_with_the_way_out(spec: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros(3))
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/saved_model.pb").touch()
    (tmp_path / "model.ckpt.index").touch()
    for name, fact in (("x.npz", "NumPy archive"), ("saved", "SavedModel"), ("model.ckpt", "TensorFlow checkpoint")):
        with pytest.raises(ArchspecError, match=fact):
            archspec.load(spec).save(tmp_path / "out.keras", weights=tmp_path / name)


def test_a_name_with_too_many_parts_is_refused(state: dict[str, Any], spec: str, tmp_path: Path) -> None:
    """Modules are visited recursively."""
    model = archspec.load(spec).build()
    path = torch_writer.save(tmp_path / "x.pth", {**state, "a." * 5000 + "weight": np.ones(3, "float32")})
    error = unchanged(model, lambda: load_weights(model, path))
    assert error.diagnostics[0].code == "weights-damaged"
