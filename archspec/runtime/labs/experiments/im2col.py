"""A convolution as a product of matrices, and as a sparse dense layer with shared weights.

The image patches become the rows of a matrix (im2col: Chellapilla, Puri & Simard 2006, "High performance convolutional
neural networks for document processing"). The kernels are the columns of another one, and the product is the feature
maps. The gradients are products of the same matrices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from archspec.runtime.labs.context import LabContext
    from archspec.runtime.labs.lab import Lab
    from archspec.runtime.labs.result import LabResult

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class KernelGrid:
    """How a kernel moves over an image; both axes alike, sizes in pixels."""

    size: int
    """Side of the kernel."""
    stride: int = 1
    dilation: int = 1
    padding: int = 0
    """Zeros on each side of the image."""

    def positions(self, length: int) -> int:
        """Output positions along an axis of `length` pixels."""
        return (length + 2 * self.padding - self.dilation * (self.size - 1) - 1) // self.stride + 1

    def pixels(self, height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
        """(position, tap, row, column): which pixel each kernel value meets at each position; padding is left out."""
        rows, columns = self.positions(height), self.positions(width)
        for position in range(rows * columns):
            for tap in range(self.size**2):
                row = position // columns * self.stride + tap // self.size * self.dilation - self.padding
                column = position % columns * self.stride + tap % self.size * self.dilation - self.padding
                if 0 <= row < height and 0 <= column < width:
                    yield position, tap, row, column


def im2col(image: Array, window: KernelGrid) -> Array:
    """The patches of an image, one in each row: (H, W, C) -> (positions, size * size * C)."""
    pad, step, reach = window.padding, window.dilation, window.dilation * (window.size - 1) + 1
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (reach, reach), axis=(0, 1))  # (rows, columns, C, r, r)
    patches = views[:: window.stride, :: window.stride, :, ::step, ::step].transpose(0, 1, 3, 4, 2)
    return patches.reshape(patches.shape[0] * patches.shape[1], -1)


def col2im(columns: Array, shape: tuple[int, int, int], window: KernelGrid) -> Array:
    """The transpose of `im2col`: each value is added to the pixel that it came from. -> (H, W, C)."""
    image = np.zeros(shape)
    values = columns.reshape(len(columns), window.size**2, shape[2])
    for position, tap, row, column in window.pixels(*shape[:2]):
        image[row, column] += values[position, tap]
    return image


def weight_index(shape: tuple[int, int, int], filters: int, window: KernelGrid) -> npt.NDArray[np.int64]:
    """Which kernel value connects each input with each output of the equal dense layer, -1 where none does.

    (H, W, C) -> (H * W * C, positions * filters). Kernel values are counted in the order row, column, channel, filter.
    """
    height, width, channels = shape
    count = window.positions(height) * window.positions(width)
    found = np.full((height, width, channels, count, filters), -1, np.int64)
    numbers = np.arange(window.size**2 * channels * filters).reshape(window.size**2, channels, filters)
    for position, tap, row, column in window.pixels(height, width):
        found[row, column, :, position] = numbers[tap]
    return found.reshape(height * width * channels, count * filters)


def dense_kernel(kernel: Array, index: npt.NDArray[np.int64]) -> Array:
    """The kernel of the dense layer (inputs, outputs), zero where nothing is connected."""
    return np.where(index < 0, 0.0, kernel.reshape(-1)[index])


def shared_gradient(gradient: Array, index: npt.NDArray[np.int64], shape: tuple[int, ...]) -> Array:
    """The gradient of shared weights: the sum over all connections that use one. (inputs, outputs) -> `shape`."""
    size = int(np.prod(shape))
    found: Array = np.bincount(index[index >= 0], gradient[index >= 0], size).astype(np.float64)
    return found.reshape(shape)


@dataclass(frozen=True)
class RandomConvolution:
    """A random convolution."""

    height: int
    width: int
    channels: int
    filters: int
    window: KernelGrid


def random_layer(random: np.random.Generator) -> RandomConvolution:
    """Any size, stride, dilation and padding of which each has at least one position with a pixel."""
    size, stride, dilation = (int(random.integers(1, most + 1)) for most in (4, 3, 2))
    reach = dilation * (size - 1) + 1
    window = KernelGrid(size, stride, dilation, padding=int(random.integers(0, min(reach, 3))))
    height, width = (int(random.integers(reach, reach + 6)) for _ in range(2))
    return RandomConvolution(height, width, int(random.integers(1, 5)), int(random.integers(1, 6)), window)


def differences(layer: RandomConvolution, random: np.random.Generator) -> dict[str, float]:
    """The largest differences of both matrix forms from the convolution of TensorFlow, relative to its largest value.

    For the feature maps, and for the gradients of a random weighting of them with respect to image and kernel.
    """
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf = import_tensorflow()
    window = layer.window
    shape = (layer.height, layer.width, layer.channels)
    image = random.normal(size=shape)
    kernel = random.normal(size=(window.size, window.size, layer.channels, layer.filters))
    rows, columns = window.positions(layer.height), window.positions(layer.width)
    upstream = random.normal(size=(rows, columns, layer.filters))

    x, w, pad = tf.constant(image[None]), tf.constant(kernel), window.padding
    with tf.GradientTape() as tape:
        tape.watch([x, w])
        padded = tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
        maps = tf.nn.conv2d(padded, spread(tf, w, window.dilation), window.stride, "VALID")
        loss = tf.reduce_sum(maps * upstream[None])
    image_gradient, kernel_gradient = tape.gradient(loss, [x, w])
    expected = {
        "maps": maps.numpy()[0],
        "image_gradient": image_gradient.numpy()[0],
        "kernel_gradient": kernel_gradient.numpy(),
    }

    patches, matrix = im2col(image, window), kernel.reshape(-1, layer.filters)
    back = upstream.reshape(-1, layer.filters)
    product = {
        "maps": patches @ matrix,
        "image_gradient": col2im(back @ matrix.T, shape, window),
        "kernel_gradient": patches.T @ back,
    }
    index = weight_index(shape, layer.filters, window)
    sparse = dense_kernel(kernel, index)
    dense = {
        "maps": image.reshape(-1) @ sparse,
        "image_gradient": sparse @ upstream.reshape(-1),
        "kernel_gradient": shared_gradient(np.outer(image, upstream), index, kernel.shape),
    }
    return {
        f"{form}/{name}": float(np.max(np.abs(found[name].reshape(value.shape) - value)) / np.max(np.abs(value)))
        for form, found in (("im2col", product), ("dense", dense))
        for name, value in expected.items()
    }


def spread(tf: Any, kernel: Any, step: int) -> Any:
    """A kernel with `step` - 1 zeros between its values, since TensorFlow has no gradient of dilation on a CPU."""
    side, _, channels, filters = kernel.shape
    gap = [0, step - 1]
    apart = tf.pad(kernel[:, None, :, None], [[0, 0], gap, [0, 0], gap, [0, 0], [0, 0]])
    wide = tf.reshape(apart, (side * step, side * step, channels, filters))
    reach = step * (side - 1) + 1
    return wide[:reach, :reach]


def example(filters: int = 2) -> dict[str, Any]:
    """The example of the lecture: an image 4 x 4 x 3 and kernels 2 x 2 x 3, with whole numbers."""
    window = KernelGrid(2)
    image = np.arange(48.0).reshape(3, 4, 4).transpose(1, 2, 0)  # each channel counts on where the last one ends
    kernel = np.array([1.0, -1.0, 0.0, 2.0] * 3 + [0.0, 1.0, 1.0, -1.0] * 3)[: 12 * filters]
    kernel = kernel.reshape(filters, 3, 2, 2).transpose(2, 3, 1, 0)
    patches, index = im2col(image, window), weight_index((4, 4, 3), filters, window)
    return {
        "image": image,
        "kernel": kernel,
        "patches": patches,
        "matrix": kernel.reshape(-1, filters),
        "maps": patches @ kernel.reshape(-1, filters),
        "index": index,
    }


def run(lab: Lab, context: LabContext) -> LabResult:
    """Compare random layers with TensorFlow, and draw the matrices of the example."""
    from archspec.runtime.labs.result import LabResult

    count, tolerance = int(context.options["layers"]), float(context.options["tolerance"])

    def compare() -> dict[str, Array]:
        random = np.random.default_rng(context.seeds[0])
        found = [differences(random_layer(random), random) for _ in range(count)]
        return {name: np.array([each[name] for each in found]) for name in found[0]}

    found = context.finished("differences", compare)
    rows = tuple((f"{form}, {WHAT[what]}", float(found[f"{form}/{what}"].max())) for form in FORMS for what in WHAT)
    worst = max(float(value) for _, value in rows)
    picture = draw(context.out / "im2col.png", lab.claim, count, worst)
    return LabResult(
        columns=("form, value", f"largest relative difference in {count} layers"),
        rows=rows,
        differences=(),
        verdict="reproduced" if worst <= tolerance else "opposite",
        reason=f"{count} random layers differ from TensorFlow by at most {worst:.0e} of the largest value",
        figures=(picture,),
    )


FORMS = ("im2col", "dense")
WHAT = {"maps": "feature maps", "image_gradient": "gradient of the image", "kernel_gradient": "gradient of the kernel"}
CHANNELS = ("#d55e00", "#009e73", "#0072b2")
"""Of the three channels of the example, from Okabe & Ito 2008."""


def draw(path: Path, title: str, count: int, worst: float) -> Path:
    """The matrices of the example, with their numbers, and below the kernel of the equal dense layer."""
    from archspec.runtime.labs.figure_style import figure

    shown = example()
    channel = np.tile(np.arange(3), 4)  # a patch lists the channels of its first pixel, then of the second one
    with figure(path, title) as axes:
        made = axes.figure
        axes.remove()
        above, below = made.add_gridspec(2, 1, height_ratios=(1.25, 1))
        grid = above.subgridspec(1, 4, width_ratios=(4.4, 12, 2.6, 2.6), wspace=0.1)
        image = np.concatenate([shown["image"][..., c] for c in range(3)])
        cells(made.add_subplot(grid[0]), image, np.repeat([[0], [1], [2]], [4, 4, 4], axis=0), "image\n4 x 4 x 3")
        cells(made.add_subplot(grid[1]), shown["patches"], channel[None], "im2col: 9 patches x 12 values")
        cells(made.add_subplot(grid[2]), shown["matrix"], channel[:, None], "2 kernels\n2 x 2 x 3", left="x")
        cells(made.add_subplot(grid[3]), shown["maps"], None, "maps\n3 x 3 x 2", left="=")
        axes = made.add_subplot(below)
        index = shown["index"].T
        axes.imshow(np.ma.masked_less(index, 0), cmap="viridis", aspect="auto", interpolation="nearest")
        used, weights = int((index >= 0).sum()), len(np.unique(index)) - 1
        axes.set_title(
            f"as a dense layer: {index.size} connections, {index.size - used} of them 0; the others share {weights} "
            "weights (one color each)",
            loc="left",
            fontsize=14,
        )
        axes.set(xlabel="input: pixel and channel (48)", ylabel="output (18)", xticks=[], yticks=[])
        proof = f"{count} random layers, forward and both gradients: difference from TensorFlow at most {worst:.0e}"
        made.supxlabel(proof, fontsize=14, x=0.02, ha="left")
    return path


def cells(axes: Any, values: Array, channel: npt.NDArray[np.int64] | None, title: str, left: str = "") -> None:
    """A matrix with its numbers; the color of a cell is that of its channel."""
    from matplotlib.colors import to_rgb

    tint = np.full((*values.shape, 3), 0.93)
    if channel is not None:
        tint = 1 - 0.35 * (1 - np.array([to_rgb(color) for color in CHANNELS]))[np.broadcast_to(channel, values.shape)]
    axes.imshow(tint, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=11)
    axes.set_title(title, fontsize=14)
    axes.set(xticks=[], yticks=[])
    axes.set_ylabel(left, rotation=0, fontsize=24, labelpad=12, va="center")
    axes.spines[:].set_visible(False)
