"""From the bytes of an image file to the input of a network, exactly as `archspec predict` prepares it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.data.files.decode import decode_bytes
from archspec.runtime.data.files.encoded_image import BadImageError, header_of
from archspec.runtime.data.pipeline.preprocess import preprocess_image
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.serve.request_error import INVALID_ARGUMENT, RequestError


class ImageInput:
    """Decodes, resizes, crops and preprocesses images for one version of a model. Safe for several threads.

    Args:
        input_shape: of one image, (height, width, 1 or 3); None for a free side.
        description: the content of export.json.
        takes_pixels: whether the network itself contains the preprocessing.
        most_pixels: larger images are refused by their header, before they are decoded.
    """

    def __init__(
        self,
        input_shape: tuple[int | None, ...],
        description: Mapping[str, Any],
        *,
        takes_pixels: bool,
        most_pixels: int,
    ) -> None:
        import tensorflow as tf

        given = description["preprocessing"]
        metadata = Metadata.from_json({"format": 1, "preprocess": given["transforms"], "resize": given["resize"]})
        transforms = () if takes_pixels else metadata.preprocess
        self._channels, self._most_pixels = int(input_shape[-1] or 3), most_pixels

        @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, None, self._channels), tf.uint8)])  # type: ignore[untyped-decorator]
        def prepare(pixels: Any) -> Any:
            return preprocess_image(tf, pixels, input_shape, transforms, metadata.resize)

        self._tf, self._prepare = tf, prepare

    def __call__(self, contents: bytes) -> npt.NDArray[np.float32]:
        """The input (H, W, C) of one image. Raises RequestError (400) for anything else than an image."""
        prepared: npt.NDArray[np.float32] = self._prepare(self.pixels(contents)).numpy()
        return prepared

    def pixels(self, contents: bytes) -> npt.NDArray[np.uint8]:
        """The decoded image, uint8 (H, W, C), upright. Raises RequestError (400)."""
        try:
            header = header_of(contents)
            if header.height * header.width > self._most_pixels:
                size = f"{header.width:,} x {header.height:,} pixels"
                raise BadImageError(f"an image of {size}; this server decodes up to {self._most_pixels:,} pixels")
            return decode_bytes(self._tf, contents, self._channels)
        except BadImageError as error:
            raise RequestError(INVALID_ARGUMENT, str(error)) from None
