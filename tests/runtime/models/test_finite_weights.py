"""A model with NaN or infinity in its weights is reported when it predicts."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from PIL import Image

from archspec.runtime.models.finite_weights import not_finite
from archspec.runtime.predict import predict


def test_weights_with_nan_are_named(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2, name="fc"), keras.layers.Softmax()]
    )
    assert not_finite(model, "x.keras") is None
    kernel, bias = model.get_layer("fc").get_weights()
    kernel[3, 1] = np.inf
    model.get_layer("fc").set_weights([kernel, bias])
    model.save(tmp_path / "x.keras")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.png")
    lines: list[str] = []
    predict(tmp_path / "x.keras", [str(tmp_path / "a.png")], report=lines.append)
    assert lines[0].startswith(f"warning: `{tmp_path / 'x.keras'}` has NaN or infinity in `")
    assert "fc/kernel`" in lines[0]
    model.get_layer("fc").set_weights([kernel * np.nan, bias * np.nan])
    assert "in every weight" in (not_finite(model, "x") or "")
