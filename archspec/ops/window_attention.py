"""Attention within windows of a feature map, with a learned bias for each relative position (Swin, CoAtNet)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from archspec.declare import BOOLEAN, POSITIVE, Schema, arg, declared
from archspec.ops.base import EVERYTHING, Functional, OpError, Shape, View, Weight, Window, of_class, show

WINDOW: Schema = {"type": ["integer", "null"], "minimum": 1}
SHIFT: Schema = {"type": "integer", "minimum": 0}
MASKED = -1e9
"""What is added to the scores of positions that do not see each other; -100 in the authors' code."""


@declared
class WindowAttention(Functional):
    """Multi-head self-attention within windows of a map, with relative position bias (Liu et al. 2021, section 3.2).

    Each position attends to the positions of its own window. Without `window`, the window is the whole map, as in
    CoAtNet (Dai et al. 2021). `shift` moves all windows down and right by that many positions; at the border they wrap
    around, but positions from opposite borders do not attend to each other.
    Shapes: (H, W, C) -> (H, W, units); windows of h x w positions divide the map.
    Weights: qkv/kernel (C, 3 units) and qkv/bias (3 units,) of query, key and value; relative_bias/embeddings
    ((2 h - 1) (2 w - 1), num_heads); kernel (units, units) and bias (units,) of the output.
    MACs: H W units (3 C + units) for the projections and 2 H W h w units for the two products.
    """

    name = "window_attention"
    kind = "dense"
    last_layers = ("Dense",)
    examples = (
        ({"num_heads": 2, "window": 3, "shift": 1}, [(6, 9, 4)]),
        ({"num_heads": 3, "window": 2, "use_bias": False}, [(4, 6, 9)]),
        ({"num_heads": 2}, [(3, 5, 4)]),
        ({"num_heads": 2, "units": 6}, [(3, 2, 4)]),
    )

    num_heads: int = arg(POSITIVE, "number of attention heads")
    window: int | None = arg(
        WINDOW, "side of the square windows, in positions; the default is one window, the whole map", None
    )
    shift: int = arg(
        SHIFT, "positions by which the windows move; Swin moves them by half a window in every second layer", 0
    )
    use_bias: bool = arg(BOOLEAN, "add biases to the projections", True)
    units: int | None = arg(WINDOW, "output channels, split among the heads; by default those of the input", None)

    def sizes(self, x: Shape) -> tuple[int, int, int]:
        """Height and width of a window, and `units`. Raises OpError where windows or heads do not divide the input."""
        if len(x) != 3 or None in x:
            raise OpError(
                f"`{self.name}` needs (height, width, channels) of known sizes, but its input is {show(x)}",
                help="for a sequence, use `attention`" if len(x) == 2 else None,
            )
        height, width, entering = (size or 0 for size in x)
        units = self.units or entering
        if units % self.num_heads:
            word = "units" if self.units else "input channels"
            raise OpError(
                f"{units} {word} cannot be split into {self.num_heads} heads",
                "num_heads",
                f"`num_heads` must divide {units} (the {word})",
            )
        side = self.window
        if side is None:
            return height, width, units
        if height % side or width % side:
            raise OpError(
                f"windows of {side} x {side} do not divide a map of {height} x {width}",
                "window",
                "choose a side that divides both, or pad the map with `zero_pad`",
            )
        if self.shift >= side:
            raise OpError(f"`shift: {self.shift}` is not smaller than the window of {side}", "shift")
        return side, side, units

    def shape(self, x: Shape, *others: Shape) -> Shape:
        if self.window is None and self.shift:
            raise OpError("`shift` needs a `window`", "shift", "give the side of the windows")
        return (*x[:2], self.sizes(x)[2])

    def weights(self, x: Shape, *others: Shape) -> tuple[Weight, ...]:
        height, width, units = self.sizes(x)
        table = Weight("relative_bias/embeddings", ((2 * height - 1) * (2 * width - 1), self.num_heads))
        qkv, output = Weight("qkv/kernel", (x[-1] or 0, 3 * units)), Weight("kernel", (units, units))
        if not self.use_bias:
            return qkv, table, output
        return qkv, Weight("qkv/bias", (3 * units,)), table, output, Weight("bias", (units,))

    def macs(self, x: Shape, *others: Shape) -> int | None:
        height, width, units = self.sizes(x)
        positions = (x[0] or 0) * (x[1] or 0)
        return positions * units * (3 * (x[-1] or 0) + units) + 2 * positions * height * width * units

    def workspace(self, x: Shape, *others: Shape) -> float | None:
        height, width, units = self.sizes(x)
        positions = (x[0] or 0) * (x[1] or 0)
        # query, key, value and the output of the heads; the scores before and after the softmax
        return 4 * positions * units + 2 * self.num_heads * positions * height * width

    def view(self, x: Shape, *others: Shape) -> View:
        """The window that covers, for each position, the window that it is in."""
        sides = self.sizes(x)[:2]
        if sides == x[:2]:
            return EVERYTHING
        return tuple(Window(2 * side - 1, 1, side - 1) for side in sides)

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        ops = keras.ops
        rows, columns, _ = shape = tuple(x.shape)[1:]
        height, width, units = self.sizes(shape)
        down, right, length = rows // height, columns // width, height * width
        heads, size = self.num_heads, units // self.num_heads

        def windows(part: Any) -> Any:
            """(B, H, W, C) -> (B, windows, heads, positions, channels of a head)."""
            split = ops.reshape(part, (-1, down, height, right, width, heads, size))
            return ops.reshape(ops.transpose(split, (0, 1, 3, 5, 2, 4, 6)), (-1, down * right, heads, length, size))

        qkv = keras.layers.Dense(3 * units, use_bias=self.use_bias, name=f"{name}.qkv")(x)
        if self.shift:
            qkv = ops.roll(qkv, (-self.shift, -self.shift), axis=(1, 2))
        query, key, value = (windows(qkv[..., i * units : (i + 1) * units]) for i in range(3))
        scores = ops.matmul(query * size**-0.5, ops.transpose(key, (0, 1, 2, 4, 3)))

        normal = keras.initializers.TruncatedNormal(stddev=0.02)
        table = keras.layers.Embedding(
            (2 * height - 1) * (2 * width - 1), heads, embeddings_initializer=normal, name=f"{name}.relative_bias"
        )
        places = ops.zeros_like(x[:1, 0, 0, :1], dtype="int32") + relative_positions(height, width).reshape(1, -1)
        bias = ops.reshape(table(places), (-1, 1, length, length, heads))
        scores = scores + ops.transpose(bias, (0, 1, 4, 2, 3))
        if self.shift:
            scores = scores + unseen((rows, columns), (height, width), self.shift)

        output = ops.matmul(ops.softmax(scores, axis=-1), value)
        split = ops.reshape(output, (-1, down, right, heads, height, width, size))
        joined = ops.reshape(ops.transpose(split, (0, 1, 4, 2, 5, 3, 6)), (-1, rows, columns, units))
        if self.shift:
            joined = ops.roll(joined, (self.shift, self.shift), axis=(1, 2))
        return keras.layers.Dense(units, use_bias=self.use_bias, name=name)(joined)

    @classmethod
    def from_keras_layers(cls, layers: Sequence[Any], x: Shape) -> Mapping[str, Any] | None:
        tables, projections = of_class(layers, "Embedding"), of_class(layers, "Dense")
        if len(tables) != 1 or len(projections) != 2 or len(x) != 3 or None in x:
            return None
        height, width, entering = (size or 0 for size in x)
        rolls, units = of_class(layers, "Roll"), projections[-1].units
        whole = not rolls and tables[0].input_dim == (2 * height - 1) * (2 * width - 1)
        return {
            "num_heads": tables[0].output_dim,
            "window": None if whole else (math.isqrt(tables[0].input_dim) + 1) // 2,
            "shift": -rolls[0].shift[0] if rolls else 0,
            "use_bias": projections[-1].use_bias,
            "units": None if units == entering else units,
        }


def relative_positions(height: int, width: int) -> Any:
    """The row of the table for each pair of positions of a window: int32 (h w, h w)."""
    import numpy as np

    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij")).reshape(2, -1)
    down, right = grid[:, :, None] - grid[:, None, :]
    return ((down + height - 1) * (2 * width - 1) + right + width - 1).astype("int32")


def unseen(size: tuple[int, int], window: tuple[int, int], shift: int) -> Any:
    """0, or MASKED for pairs of positions that the shift brought together: float32 (windows, 1, h w, h w)."""
    import numpy as np

    regions = np.zeros(size, "int32")
    ends = [(slice(0, -side), slice(-side, -shift), slice(-shift, None)) for side in window]
    for number, (row, column) in enumerate((row, column) for row in ends[0] for column in ends[1]):
        regions[row, column] = number
    (rows, columns), (height, width) = size, window
    split = regions.reshape(rows // height, height, columns // width, width).transpose(0, 2, 1, 3)
    flat = split.reshape(-1, height * width)
    return np.where(flat[:, :, None] == flat[:, None, :], 0.0, MASKED).astype("float32")[:, None]
