"""Modules of a file that the network lacks, projectors and second heads, are left out by name; copies are offered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.weights import load_weights
from tests.runtime.weights import torch_writer
from tests.runtime.weights.small_network import same, write_safetensors

RNG = np.random.default_rng(3)


def renamed(state: dict[str, Any]) -> dict[str, Any]:
    """The last dense layer as `fc`."""
    *_, weight, bias = state
    return {"fc.weight" if name == weight else "fc.bias" if name == bias else name: a for name, a in state.items()}


def noise(like: dict[str, Any]) -> dict[str, Any]:
    return {name: RNG.normal(size=array.shape).astype("float32") for name, array in like.items()}


@pytest.mark.parametrize("write", [torch_writer.save, write_safetensors])
def test_projectors_second_heads_and_counters_are_left_out(
    write: Any, state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    own = renamed(state)
    second = {name.replace("fc.", "fc2."): array for name, array in noise(own).items() if name.startswith("fc.")}
    beside = {
        "projector.0.weight": np.ones((4, 10), "float32"),
        "projector.2.weight": np.ones((3, 4), "float32"),
        **second,
        "total_ops": np.zeros(1, "float32"),
        "units.0.bn1.total_ops": np.zeros(1, "float32"),
    }
    write(tmp_path / "x", {**own, **beside})
    model = archspec.load(spec).build()
    matching = load_weights(model, tmp_path / "x")
    same(model, trained)
    line = matching.describe("x")
    assert "not used: " in line
    assert all(word in line for word in ("`projector.*` (2)", "`fc2`", "`total_ops` (2)"))


def test_two_modules_that_could_each_be_left_out_are_refused(state: dict[str, Any], spec: str, tmp_path: Path) -> None:
    """Nothing tells which of two classifiers is meant."""
    own = renamed(state)
    own = {name.replace("fc.", "one."): array for name, array in own.items()}
    other = {name.replace("one.", "two."): array for name, array in noise(own).items() if name.startswith("one.")}
    torch_writer.save(tmp_path / "x.pth", {**other, **own})
    with pytest.raises(ArchspecError) as caught:
        load_weights(archspec.load(spec).build(), tmp_path / "x.pth")
    assert caught.value.diagnostics[0].code == "weights-mismatch"


@pytest.mark.parametrize("write", [torch_writer.save, write_safetensors])
@pytest.mark.parametrize("first", [0, 1])
def test_an_average_in_the_same_dictionary_can_be_chosen(
    write: Any, first: int, state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    averaged = noise(state)
    parts = [
        {f"model.{name}": array for name, array in state.items()},
        {f"model_ema.module.{name}": array for name, array in averaged.items()},
    ]
    write(tmp_path / "x", {**parts[first], **parts[1 - first]})
    model = archspec.load(spec).build()
    matching = load_weights(model, tmp_path / "x")
    same(model, trained)
    assert (matching.chosen, matching.others, matching.unused) == ("model", ("model_ema",), ())
    assert "not taken: `x#model_ema`" in matching.describe("x")
    assert not load_weights(model, f"{tmp_path / 'x'}#model_ema").others
    with pytest.raises(AssertionError):
        same(model, trained)


@pytest.mark.parametrize(("write", "word"), [(torch_writer.save, "module"), (write_safetensors, "online_model")])
def test_names_without_a_prefix_come_before_copies_below_one(
    write: Any, word: str, state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    """`load_state_dict(..., strict=False)` of PyTorch loads the names without a prefix."""
    copy = {f"{word}.{name}": array for name, array in noise(state).items()}
    write(tmp_path / "x", {**copy, **state, "step": np.zeros(1, "float32")})
    model = archspec.load(spec).build()
    matching = load_weights(model, tmp_path / "x")
    same(model, trained)
    assert (matching.chosen, matching.others) == ("", (word,))
    assert [unit.name for unit in matching.unused] == ["step"]


def test_a_network_comes_before_its_average_and_is_named(
    state: dict[str, Any], trained: Any, spec: str, tmp_path: Path
) -> None:
    """The names of ema_pytorch."""
    average = {f"ema_model.{name}": array for name, array in noise(state).items()}
    own = {f"online_model.{name}": array for name, array in state.items()}
    for beside in ({}, {"initted": np.ones(1, "float32"), "step": np.zeros(1, "float32")}):
        torch_writer.save(tmp_path / "x", {**average, **own, **beside})
        model = archspec.load(spec).build()
        matching = load_weights(model, tmp_path / "x")
        same(model, trained)
        assert (matching.chosen, matching.others) == ("online_model", ("ema_model",))


def test_a_deeper_network_is_not_cut_to_size(tmp_path: Path) -> None:
    """VGG19 has the layers of VGG16 and one more in three stages."""
    text = "name: a\ninput: [8, 8, 3]\nlayers:\n" + "  - conv: {filters: 3, padding: same}\n" * 3
    spec = tmp_path / "a.yaml"
    spec.write_text(text + "  - global_avgpool\n  - dense: 5\n")
    kernel = {"weight": (3, 3, 3, 3), "bias": (3,)}
    state = {f"conv3_{i}.{role}": RNG.normal(size=shape) for i in (1, 2, 3, 4) for role, shape in kernel.items()}
    state |= {"fc.weight": RNG.normal(size=(5, 3)), "fc.bias": RNG.normal(size=5)}
    torch_writer.save(tmp_path / "x.pth", state)
    with pytest.raises(ArchspecError) as caught:
        load_weights(archspec.load(str(spec)).build(), tmp_path / "x.pth")
    assert caught.value.diagnostics[0].code == "weights-mismatch"
