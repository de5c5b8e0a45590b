"""Selection and order of channels: select_channels, channel_split, channel_shuffle, pad_channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archspec.declare import NATURAL, POSITIVE, arg, declared
from archspec.diagnostics import counted
from archspec.ops.base import Functional, OpError, Shape, channels, of_class


@declared
class SelectChannels(Functional):
    """Select channels by index, from 0: partial connections, as in LeNet-5.

    Shapes: (H, W, C) -> (H, W, len(indices)).
    Source: LeCun et al. 1998, Table I.
    """

    name = "select_channels"
    keeps = ()
    examples = (
        ({"indices": [0, 3, 4]}, [(7, 5, 6)]),
        ({"indices": [2, 0]}, [(None, None, 3)]),
        ({"indices": [1]}, [(4,)]),
    )

    indices: tuple[int, ...] = arg(
        {"type": "array", "items": NATURAL, "minItems": 1}, "indices of the channels to keep, in order"
    )

    def shape(self, x: Shape, *others: Shape) -> Shape:
        entering = channels(x, self.name)
        if max(self.indices) >= entering:
            raise OpError(
                f"the input has {counted(entering, 'channel')}, but no channel {max(self.indices)}",
                "indices",
                f"channels are numbered from 0 to {entering - 1}",
            )
        return (*x[:-1], len(self.indices))

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        return keras.layers.Identity(name=name)(keras.ops.take(x, list(self.indices), axis=-1))


def group_size(x: Shape, groups: int, op: str) -> int:
    """Channels of each group. Raises OpError when the channels cannot be split equally."""
    entering = channels(x, op)
    if entering % groups:
        raise OpError(
            f"{entering} input channels cannot be split into {groups} groups",
            "groups",
            f"`groups` must divide {entering} (the input channels)",
        )
    return entering // groups


@declared
class ChannelSplit(Functional):
    """Select one of several equal groups of channels, for example one half for a branch.

    Shapes: (..., C) -> (..., C / groups).
    Ma et al. 2018, section 3.2.
    """

    name = "channel_split"
    keeps = ()
    examples = (
        ({"index": 1}, [(5, 4, 6)]),
        ({"index": 0, "groups": 3}, [(None, None, 12)]),
        ({"index": 2, "groups": 4}, [(8,)]),
    )

    index: int = arg(NATURAL, "index of the group, from 0")
    groups: int = arg(POSITIVE, "number of groups", 2)

    def shape(self, x: Shape, *others: Shape) -> Shape:
        size = group_size(x, self.groups, self.name)
        if self.index >= self.groups:
            raise OpError(
                f"there are {self.groups} groups, but no group {self.index}", "index", "groups are numbered from 0"
            )
        return (*x[:-1], size)

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        size = group_size(tuple(x.shape)[1:], self.groups, self.name)
        return keras.layers.Identity(name=name)(x[..., self.index * size : (self.index + 1) * size])


@declared
class ChannelShuffle(Functional):
    """Interleave the groups of channels, so that the next grouped convolution reads from all groups.

    Shapes: (..., C) -> (..., C); channel j of group i, of n channels each, goes to position groups j + i.
    Zhang et al. 2018, section 3.1.
    """

    name = "channel_shuffle"
    keeps = ()
    last_layers = ("Identity",)
    examples = (
        ({"groups": 3}, [(5, 4, 12)]),
        ({"groups": 2}, [(None, None, 6)]),
        ({"groups": 4}, [(8,)]),
    )

    groups: int = arg(POSITIVE, "number of groups")

    def shape(self, x: Shape, *others: Shape) -> Shape:
        group_size(x, self.groups, self.name)
        return x

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        ops, (_, *sizes, entering) = keras.ops, x.shape
        of_group = entering // self.groups
        if None in sizes:
            order = [i * of_group + j for j in range(of_group) for i in range(self.groups)]
            return keras.layers.Identity(name=name)(ops.take(x, order, axis=-1))
        # three times as fast as selecting the channels one by one
        dealt = ops.swapaxes(ops.reshape(x, (-1, *sizes, self.groups, of_group)), -1, -2)
        return keras.layers.Identity(name=name)(ops.reshape(dealt, (-1, *sizes, entering)))

    @classmethod
    def from_keras_layers(cls, layers: Sequence[Any], x: Shape) -> Mapping[str, Any] | None:
        shapes = of_class(layers, "Reshape")
        return {"groups": shapes[0].newshape[-2]} if len(shapes) == 2 and of_class(layers, "Swapaxes") else None


@declared
class PadChannels(Functional):
    """Append channels of zeros: the shortcut without parameters (He et al. 2016, option A).

    Shapes: (H, W, C) -> (H, W, channels).
    """

    name = "pad_channels"
    keeps = ()
    last_layers = ("Identity",)
    examples = (
        ({"channels": 7}, [(5, 4, 3)]),
        ({"channels": 5}, [(3,)]),
        ({"channels": 3}, [(None, None, 3)]),
    )

    channels: int = arg(POSITIVE, "output channels")

    def shape(self, x: Shape, *others: Shape) -> Shape:
        entering = channels(x, self.name)
        if self.channels < entering:
            raise OpError(
                f"cannot pad {counted(entering, 'channel')} to {self.channels}",
                "channels",
                "use `conv` with `kernel_size: 1` for fewer channels",
            )
        return (*x[:-1], self.channels)

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        more = self.channels - x.shape[-1]
        if more:
            x = keras.ops.pad(x, (*((0, 0),) * (len(x.shape) - 1), (0, more)))
        return keras.layers.Identity(name=name)(x)

    @classmethod
    def from_keras_layers(cls, layers: Sequence[Any], x: Shape) -> Mapping[str, Any] | None:
        pads = of_class(layers, "Pad")
        return {"channels": x[-1] + pads[0].pad_width[-1][1]} if len(pads) == 1 and x and x[-1] else None
