"""Attention within windows of a feature map, with a learned bias for each relative position (Swin, CoAtNet)."""

from __future__ import annotations

from typing import Any

from archspec.declare import BOOLEAN, POSITIVE, Schema, arg, declared
from archspec.ops.base import EVERYTHING, Functional, OpError, Shape, View, Weight, Window, show

WINDOW: Schema = {"type": ["integer", "null"], "minimum": 1}
SHIFT: Schema = {"type": "integer", "minimum": 0}
MASKED = -1e9
"""What is added to the scores of positions that do not see each other; -100 in the authors' code."""


@declared
class WindowAttention(Functional):
    """Multi-head self-attention within windows of a map, with relative position bias (Liu et al. 2021, section 3.2).

    With `shift`, the windows are moved by that many positions, cyclically; positions from opposite borders of the map
    do not see each other. Without `window`, each position sees the whole map, as in CoAtNet (Dai et al. 2021).
    Shapes: (H, W, C) -> (H, W, C); windows of h x w positions divide the map.
    Weights: qkv/kernel (C, 3 C) and qkv/bias (3 C,) of query, key and value; relative_bias/embeddings
    ((2 h - 1) (2 w - 1), num_heads); kernel (C, C) and bias (C,) of the output.
    MACs: 4 H W C^2 for the projections and 2 H W h w C for the two products.
    """

    name = "window_attention"
    kind = "dense"
    examples = (
        ({"num_heads": 2, "window": 3, "shift": 1}, [(6, 9, 4)]),
        ({"num_heads": 3, "window": 2, "use_bias": False}, [(4, 6, 9)]),
        ({"num_heads": 2}, [(3, 5, 4)]),
    )

    num_heads: int = arg(POSITIVE, "number of attention heads")
    window: int | None = arg(WINDOW, "side of the square windows, in positions; by default the whole map", None)
    shift: int = arg(SHIFT, "positions by which the windows are moved, half a window in every second layer of Swin", 0)
    use_bias: bool = arg(BOOLEAN, "add biases to the projections", True)

    def sizes(self, x: Shape) -> tuple[int, int, int]:
        """Height and width of a window, and channels. Raises OpError where windows or heads do not divide the input."""
        if len(x) != 3 or None in x:
            raise OpError(
                f"`{self.name}` needs (height, width, channels) of known sizes, but its input is {show(x)}",
                help="for a sequence, use `attention`" if len(x) == 2 else None,
            )
        height, width, channels = (size or 0 for size in x)
        if channels % self.num_heads:
            raise OpError(
                f"{channels} input channels cannot be split into {self.num_heads} heads",
                "num_heads",
                f"`num_heads` must divide {channels} (the input channels)",
            )
        side = self.window
        if side is None:
            return height, width, channels
        if height % side or width % side:
            raise OpError(
                f"windows of {side} x {side} do not divide a map of {height} x {width}",
                "window",
                "choose a side that divides both, or pad the map with `zero_pad`",
            )
        if self.shift >= side:
            raise OpError(f"`shift: {self.shift}` is not smaller than the window of {side}", "shift")
        return side, side, channels

    def shape(self, x: Shape, *others: Shape) -> Shape:
        if self.window is None and self.shift:
            raise OpError("`shift` needs a `window`", "shift", "give the side of the windows")
        self.sizes(x)
        return x

    def weights(self, x: Shape, *others: Shape) -> tuple[Weight, ...]:
        height, width, channels = self.sizes(x)
        table = Weight("relative_bias/embeddings", ((2 * height - 1) * (2 * width - 1), self.num_heads))
        qkv, output = Weight("qkv/kernel", (channels, 3 * channels)), Weight("kernel", (channels, channels))
        if not self.use_bias:
            return qkv, table, output
        return qkv, Weight("qkv/bias", (3 * channels,)), table, output, Weight("bias", (channels,))

    def macs(self, x: Shape, *others: Shape) -> int | None:
        height, width, channels = self.sizes(x)
        positions = (x[0] or 0) * (x[1] or 0)
        return 4 * positions * channels**2 + 2 * positions * height * width * channels

    def workspace(self, x: Shape, *others: Shape) -> float | None:
        height, width, channels = self.sizes(x)
        positions = (x[0] or 0) * (x[1] or 0)
        # query, key, value and the output of the heads; the scores before and after the softmax
        return 4 * positions * channels + 2 * self.num_heads * positions * height * width

    def view(self, x: Shape, *others: Shape) -> View:
        """The window that covers, for each position, the window that it is in."""
        sides = self.sizes(x)[:2]
        if sides == x[:2]:
            return EVERYTHING
        return tuple(Window(2 * side - 1, 1, side - 1) for side in sides)

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        ops = keras.ops
        rows, columns, channels = tuple(x.shape)[1:]
        height, width, _ = self.sizes((rows, columns, channels))
        down, right, length = rows // height, columns // width, height * width
        heads, size = self.num_heads, channels // self.num_heads

        def windows(part: Any) -> Any:
            """(B, H, W, C) -> (B, windows, heads, positions, channels of a head)."""
            split = ops.reshape(part, (-1, down, height, right, width, heads, size))
            return ops.reshape(ops.transpose(split, (0, 1, 3, 5, 2, 4, 6)), (-1, down * right, heads, length, size))

        qkv = keras.layers.Dense(3 * channels, use_bias=self.use_bias, name=f"{name}.qkv")(x)
        if self.shift:
            qkv = ops.roll(qkv, (-self.shift, -self.shift), axis=(1, 2))
        query, key, value = (windows(qkv[..., i * channels : (i + 1) * channels]) for i in range(3))
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
        joined = ops.reshape(ops.transpose(split, (0, 1, 4, 2, 5, 3, 6)), (-1, rows, columns, channels))
        if self.shift:
            joined = ops.roll(joined, (self.shift, self.shift), axis=(1, 2))
        return keras.layers.Dense(channels, use_bias=self.use_bias, name=name)(joined)


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
