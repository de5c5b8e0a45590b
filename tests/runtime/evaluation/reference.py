"""The papers' test protocols word by word, in NumPy and Pillow, for a small network without padding.

Slow and without any of the package's code: one image, one view at a time. Each function returns the softmax output
(classes,) that the paper would count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from PIL import Image

INPUT = (9, 11)  # rows, columns
STRIDE = 2
CLASSES = 6
SCALE, MEAN = 0.01, np.array([1, 1.1, 1.2])

SPEC = """\
name: reference
input: [9, 11, 3]
layers:
  - conv: {filters: 5, kernel_size: 3, strides: 2}
  - relu
  - flatten
  - dense: 6
  - softmax
preprocess: [scale: 0.01, subtract_mean: [1, 1.1, 1.2]]
evaluate: {resize: 13, protocols: [ten-crop, {multi-scale: [13, 16]}]}
"""

Array = Any


class Network:
    """Convolution 3 x 3 with stride 2, relu, fully connected layer: NumPy alone."""

    def __init__(self, weights: list[Array]) -> None:
        self.kernel, self.bias, self.dense, self.dense_bias = (np.asarray(each, np.float64) for each in weights)

    def scores(self, crop: Array) -> Array:
        """Class scores (6,) of a crop (9, 11, 3), grey levels: before the softmax."""
        x = crop * SCALE - MEAN
        rows, columns = ((side - 3) // STRIDE + 1 for side in INPUT)
        maps = np.zeros((rows, columns, self.kernel.shape[-1]))
        for i in range(rows):
            for j in range(columns):
                window = x[i * STRIDE : i * STRIDE + 3, j * STRIDE : j * STRIDE + 3]
                maps[i, j] = np.einsum("hwc,hwcf->f", window, self.kernel) + self.bias
        return np.maximum(maps, 0).reshape(-1) @ self.dense + self.dense_bias

    def score_map(self, image: Array) -> Array:
        """The class score map: the network at every place that its stride reaches (VGG, section 3.2)."""
        places = [range(0, side - own + 1, STRIDE) for side, own in zip(image.shape[:2], INPUT, strict=True)]
        return np.array(
            [[self.scores(image[i : i + INPUT[0], j : j + INPUT[1]]) for j in places[1]] for i in places[0]]
        )


def softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def rescaled(image: Array, size: int) -> Array:
    """Isotropically rescaled so that the smallest side is `size` (VGG, section 3.2), or covers the input."""
    height, width = image.shape[:2]
    factor = max(Fraction(size, min(height, width)), Fraction(INPUT[0], height), Fraction(INPUT[1], width))
    half = Fraction(1, 2)
    sides = math.floor(height * factor + half), math.floor(width * factor + half)
    channels = [
        Image.fromarray(image[..., c].astype(np.float32), mode="F").resize(sides[::-1], Image.Resampling.BILINEAR)
        for c in range(3)
    ]
    return np.stack([np.asarray(channel, np.float64) for channel in channels], axis=-1)


def crop_at(image: Array, row: int, column: int) -> Array:
    return image[row : row + INPUT[0], column : column + INPUT[1]]


def mirrored(image: Array) -> Array:
    return image[:, ::-1]


def central(image: Array, sides: tuple[int, int]) -> Array:
    row, column = ((whole - part) // 2 for whole, part in zip(image.shape[:2], sides, strict=True))
    return image[row : row + sides[0], column : column + sides[1]]


def center(network: Network, image: Array, size: int = 13) -> Array:
    """The centre crop alone."""
    return softmax(network.scores(central(rescaled(image, size), INPUT)))


def ten_crop(network: Network, image: Array, size: int = 13, *, square: bool = True) -> Array:
    """"five patches (the four corner patches and the center patch) as well as their horizontal reflections, and
    averaging the predictions made by the network's softmax layer on the ten patches" (AlexNet, section 4.1), of "the
    central 256 x 256 patch" (section 2)."""  # fmt: skip
    patch = rescaled(image, size)
    if square:
        side = min(patch.shape[:2])
        patch = central(patch, (max(side, INPUT[0]), max(side, INPUT[1])))
    bottom, right = patch.shape[0] - INPUT[0], patch.shape[1] - INPUT[1]
    five = [crop_at(patch, i, j) for i in (0, bottom) for j in (0, right)] + [central(patch, INPUT)]
    return mean(softmax(network.scores(view)) for crop in five for view in (crop, mirrored(crop)))


def multi_crop(network: Network, image: Array, sizes: tuple[int, ...] = (13,), grid: int = 5) -> Array:
    """"50 crops per scale (5 x 5 regular grid with 2 flips)" (VGG, section 3.2)."""  # fmt: skip
    views = []
    for size in sizes:
        scaled = rescaled(image, size)
        rows, columns = (
            [math.floor(i * (whole - own) / (grid - 1) + 0.5) for i in range(grid)]
            for whole, own in zip(scaled.shape[:2], INPUT, strict=True)
        )
        for i in rows:
            for j in columns:
                views += [crop_at(scaled, i, j), mirrored(crop_at(scaled, i, j))]
    return mean(softmax(network.scores(view)) for view in views)


def dense(network: Network, image: Array, sizes: tuple[int, ...] = (13,)) -> Array:
    """"the class score map is spatially averaged ... the soft-max class posteriors of the original and flipped images
    are averaged" (VGG, section 3.2), and those of all scales (section 4.2)."""  # fmt: skip
    scaled = [rescaled(image, size) for size in sizes]
    views = [view for each in scaled for view in (each, mirrored(each))]
    return mean(softmax(network.score_map(view).mean(axis=(0, 1))) for view in views)


def dense_of_posteriors(network: Network, image: Array, sizes: tuple[int, ...] = (13,)) -> Array:
    """The other reading: the softmax outputs of all places are averaged."""
    scaled = [rescaled(image, size) for size in sizes]
    views = [view for each in scaled for view in (each, mirrored(each))]
    return mean(softmax(network.score_map(view)).mean(axis=(0, 1)) for view in views)


def multi_crop_and_dense(network: Network, image: Array, sizes: tuple[int, ...] = (13,)) -> Array:
    """"averaging their soft-max outputs" (VGG, section 4.3)."""  # fmt: skip
    return (multi_crop(network, image, sizes) + dense(network, image, sizes)) / 2


def mean(posteriors: Iterator[Array]) -> Array:
    return np.mean(list(posteriors), axis=0)


CASES: dict[str, Callable[[Network, Array], Array]] = {
    "center": center,
    "center: 16": lambda network, image: center(network, image, 16),
    "ten-crop": ten_crop,
    "ten-crop: {size: 17, within: image}": lambda network, image: ten_crop(network, image, 17, square=False),
    "multi-crop": multi_crop,
    "multi-crop: {sizes: [12, 14, 17], grid: 3}": lambda network, image: multi_crop(network, image, (12, 14, 17), 3),
    "single-scale": dense,
    "single-scale: 16": lambda network, image: dense(network, image, (16,)),
    "multi-scale: [13, 16, 20]": lambda network, image: dense(network, image, (13, 16, 20)),
    "dense": dense,
    "dense: {sizes: [14, 18], average: posteriors}": lambda network, image: dense_of_posteriors(
        network, image, (14, 18)
    ),
    "multi-crop+dense: [13, 15]": lambda network, image: multi_crop_and_dense(network, image, (13, 15)),
}
"""Protocols as the command line says them, and what they should give."""
