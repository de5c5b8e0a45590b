"""From image files to the input of a model."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from archspec.runtime.serve.models.image_input import ImageInput


def test_many_models_are_served_without_a_warning_of_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """It warns where one function is traced five times, and takes those of several models for one."""
    warnings: list[Any] = []
    monkeypatch.setattr(tf.get_logger(), "warning", lambda *args: warnings.append(args))
    image = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(image, "PNG")
    description = {"preprocessing": {"transforms": [{"scale": {"factor": 0.5, "offset": 0.0}}], "resize": 5}}
    for _ in range(6):
        found = ImageInput((4, 4, 3), description, takes_pixels=False, most_pixels=100)
        view = found(image.getvalue())
        assert view.shape == (4, 4, 3)
        assert np.allclose(found.preprocessed(view[None]), view[None] / 2)
    assert not warnings
