"""From the bytes of an image file to the input of a network, exactly as `archspec predict` prepares it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.data.files.decode import decode_bytes
from archspec.runtime.data.files.encoded_image import BadImageError, header_of
from archspec.runtime.data.pipeline.preprocess import preprocess_values, resized
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.serve.request_error import INVALID_ARGUMENT, RequestError

SMALL_FILE, SMALL_AREA = 2**14, 2**14
"""Bytes and pixels up to which decoding takes less time than handing the image to another thread."""


class ImageInput:
    """Decodes, resizes and crops images for a version of a model, one by one; then preprocesses them as a batch.

    Safe for several threads.

    Args:
        input_shape: of one image, (height, width, 1 or 3); None for a free side.
        description: the content of export.json.
        takes_pixels: whether the network itself contains the preprocessing.
        most_pixels: larger images are refused by their header, before they are decoded.

    Attributes:
        shape: of one image, as `input_shape`.
        transforms: the preprocessing that the network does not contain.
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
        self.transforms = () if takes_pixels else metadata.preprocess
        self.shape, self._channels = tuple(input_shape), int(input_shape[-1] or 3)
        self._tf, self._most_pixels, self._resize = tf, most_pixels, metadata.resize

        @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, None, self._channels), tf.uint8)])  # type: ignore[untyped-decorator]
        def view(pixels: Any) -> Any:
            return tf.cast(resized(tf, pixels[None], input_shape, metadata.resize)[0], tf.float32)

        @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, *input_shape), tf.float32)])  # type: ignore[untyped-decorator]
        def preprocess(views: Any) -> Any:
            return self.preprocess(views)

        # traced here: TensorFlow takes the same code of several models for one that is traced too often
        self._view, self._preprocess = view.get_concrete_function(), preprocess.get_concrete_function()

    def __call__(self, contents: bytes) -> npt.NDArray[np.float32]:
        """The image after resize and crop, (H, W, C), 0 to 255. Raises RequestError (400) for what is no image."""
        pixels = self.pixels(contents)
        if self._resize is None and pixels.shape == self.shape:  # nothing to do, and a small network has waited less
            return pixels.astype(np.float32)
        view: npt.NDArray[np.float32] = self._view(self._tf.constant(pixels)).numpy()
        return view

    def preprocess(self, views: Any) -> Any:
        """The input of `serving_default` for images after resize and crop, (B, H, W, C), as tensors."""
        return preprocess_values(self._tf, views, self.shape, self.transforms)

    def preprocessed(self, views: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """As `preprocess`, of arrays."""
        found: npt.NDArray[np.float32] = self._preprocess(self._tf.constant(views)).numpy()
        return found

    def is_small(self, contents: bytes) -> bool:
        """Whether decoding an image takes next to no time."""
        if len(contents) > SMALL_FILE or not contents.startswith((b"\xff\xd8\xff", b"\x89PNG")):
            return False
        if contents.startswith(b"\x89PNG"):
            return area_of_png(contents) <= SMALL_AREA
        try:
            header = header_of(contents)
        except BadImageError:
            return True
        return header.height * header.width <= SMALL_AREA

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


def area_of_png(contents: bytes) -> int:
    """Width times height by the header of a PNG (W3C PNG, section 11.2.1); 0 where it is cut off."""
    return int.from_bytes(contents[16:20], "big") * int.from_bytes(contents[20:24], "big")
