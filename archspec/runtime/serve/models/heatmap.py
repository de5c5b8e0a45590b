"""Grad-CAM of an uploaded image, for the page of the server."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError
from archspec.runtime.data.pipeline.preprocess import preprocess_values, resized
from archspec.runtime.explain.explainer import find_method, open_network
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.picture import drawn
from archspec.runtime.serve.request_error import INVALID_ARGUMENT, RequestError

CLASSES = 3
"""The most probable classes have a map each."""


class Heatmap:
    """Explains images with one model file. One thread may use it."""

    def __init__(self, model_file: Path) -> None:
        import tensorflow as tf

        self._tf = tf
        try:
            self._network = open_network(model_file, None, lambda line: None)
            classes = [f"top-{min(CLASSES, len(self._network.class_names))}"]
            self._method = find_method("gradcam", {"classes": classes})
            self._method.check(self._network)
        except ArchspecError as error:
            if error.diagnostics[0].code in ("not-spatial", "several-inputs", "not-functional", "no-classifier"):
                raise RequestError(INVALID_ARGUMENT, f"Grad-CAM cannot run: {error.diagnostics[0].message}") from None
            raise

    def explain(self, pixels: npt.NDArray[np.uint8]) -> dict[str, Any]:
        """Of an image (H, W, C): the layer, and for each class its name, probability and map over the image as PNG."""
        found = self._method.explain_batch(self._network, self._batch(pixels))[0]
        maps = [
            {
                "class": panel.numbers["class"],
                "probability": panel.numbers["probability"],
                "png": _base64_png(drawn(panel, found.pixels)),
            }
            for panel in found.panels
        ]
        layer = self._method.explained_layer(self._network)
        return {"method": "gradcam", "layer": layer, "maps": maps, "notes": list(found.notes)}

    def _batch(self, pixels: npt.NDArray[np.uint8]) -> ImageBatch:
        shape, metadata = self._network.input_shape, self._network.metadata
        view = resized(self._tf, self._tf.constant(pixels[None]), shape, metadata.resize)
        x = preprocess_values(self._tf, view, shape, metadata.preprocess).numpy()
        seen = np.clip(np.rint(np.asarray(view, np.float32)), 0, 255).astype(np.uint8)
        return ImageBatch(("image",), (None,), seen, x)


def _base64_png(picture: npt.NDArray[np.uint8]) -> str:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()
