"""How far the outputs of an export may be from those of the network: classes and values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.export.keras_file import KerasFile
from archspec.runtime.export.network import ExportedNetwork
from archspec.runtime.export.read_network import read_network
from archspec.runtime.export.verify import _allowed, _largest
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import save_model

ARRAYS = arrays(np.float32, (2, 3), elements=st.integers(-1000, 1000).map(float))


def network(folder: Path, *last: Any, outputs: tuple[str, ...] = ()) -> ExportedNetwork:
    layers = keras.layers
    model = keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(4, 3, name="conv"), *last])
    save_model(keras.Model(model.inputs, model.outputs), folder / "m.keras", Metadata())
    return read_network(folder / "m.keras", outputs)


def test_classes_are_held_to_the_tolerance_and_values_to_their_own(tmp_path: Path) -> None:
    layers = keras.layers
    classes = network(tmp_path, layers.Flatten(), layers.Dense(3, "softmax"), outputs=("conv",))
    assert classes.of_classes == {"probabilities"}
    for name in ("serving_default/probabilities", "serve_images/probabilities"):
        assert _allowed(classes, name, 1e-5) == 1e-5
    assert _allowed(classes, "serve_features/conv", 1e-5) == 1e-4
    values = network(tmp_path)
    assert values.of_classes == set()
    assert [_allowed(values, "serving_default/values", each) for each in (1e-5, 1e-2)] == [1e-4, 1e-2]


@pytest.mark.parametrize("exponent", [-100, -20, 0, 20, 100])
@given(values=ARRAYS, difference=ARRAYS)
def test_differences_of_values_do_not_depend_on_their_scale(values: Any, difference: Any, exponent: int) -> None:
    """A power of two changes no digits."""
    scale = np.float32(2.0**exponent)
    assert _largest(values, values + difference, 0.0) == _largest(values * scale, (values + difference) * scale, 0.0)


@pytest.mark.parametrize(
    ("expected", "values", "found"),
    [
        ([1000.0, -1000.0], [1000.05, -1000.0], 5e-5),
        ([9e-7, 1e-7], [0.0, 0.0], 1.0),
        ([1e-3, 5e-4], [1.002e-3, 5e-4], 2e-3),
        ([0.0, 0.0], [0.0, -1e-40], 0.0),
        ([1e-40, 0.0], [0.0, 0.0], 0.0),
        ([0.0, 0.0], [0.0, 1e-30], np.inf),
        ([3e38, 0.0], [-3e38, 0.0], 2.0),
    ],
)
def test_differences_of_values_are_relative_to_the_largest(
    expected: list[float], values: list[float], found: float
) -> None:
    pair = np.array(expected, np.float32), np.array(values, np.float32)
    assert _largest(*pair, 0.0) == pytest.approx(found, rel=1e-3)


def test_differences_of_classes_are_absolute_below_one() -> None:
    assert _largest(np.array([[1e-3, 0.5]]), np.array([[0.0, 0.5]]), 1.0) == pytest.approx(1e-3)
    assert _largest(np.array([[50.0, 0.5]]), np.array([[49.0, 0.5]]), 1.0) == pytest.approx(0.02)


@pytest.mark.parametrize(("value", "message"), [(0.0, r"by up to 1\.0e\+00"), (float("nan"), "gives NaN or infinite")])
def test_an_export_of_tiny_values_that_gives_others_is_refused(
    tmp_path: Path, value: float, message: str, in_this_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest output is about 1e-6, and the export gives the same number for every image."""
    layers = keras.layers
    tiny = keras.initializers.Constant(1e-8)
    network(tmp_path, layers.Conv2D(2, 2, kernel_initializer=tiny))
    (tmp_path / "runner.py").write_text(
        "import numpy as np\n"
        "def load(folder, threads=0):\n"
        f"    value = np.float32('{value}')\n"
        "    return {'serving_default': lambda x: {'values': np.full((len(x), 3, 3, 2), value)}}\n"
    )
    monkeypatch.setattr(KerasFile, "runner", tmp_path / "runner.py")
    with pytest.raises(ArchspecError, match=message) as caught:
        archspec.export(tmp_path / "m.keras", tmp_path / "out", format="keras")
    assert caught.value.diagnostics[0].code == "export-differs"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("cause", ["weight", "layer"])
def test_a_model_that_gives_nan_is_not_blamed_on_the_export(tmp_path: Path, cause: str) -> None:
    layers = keras.layers
    huge = layers.Conv2D(2, 3, kernel_initializer=keras.initializers.Constant(1e38), name="huge")
    found = network(tmp_path, *([layers.Flatten()] if cause == "weight" else [huge, layers.ReLU(), layers.Softmax()]))
    if cause == "weight":
        kernel = found.model.get_layer("conv").kernel
        kernel.assign(kernel * np.nan)
        save_model(found.model, tmp_path / "m.keras", Metadata())
    with pytest.raises(ArchspecError) as caught:
        archspec.export(tmp_path / "m.keras", tmp_path / "out")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "not-finite"
    assert diagnostic.help == "repair the network, or export it without the comparison by `verify=False`"
    assert "gives NaN or infinite values" in diagnostic.message
    assert diagnostic.notes == (
        ("NaN or infinity in `conv/kernel`",) if cause == "weight" else ("the first is the output of the layer `huge`",)
    )
    assert not (tmp_path / "out").exists()
