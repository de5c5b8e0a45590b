"""Functions of `keras.ops` that select, split, join or move axes: operators such as slice, take and reshape."""

from __future__ import annotations

from archspec.ops.base import KEEP_BATCH, OpError, Shape, show
from archspec.runtime.from_keras.reading import Reading

MOST_SELECTED = 4
"""Most channels whose reverse order is written with their indices: `select_channels: [2, 1, 0]` for BGR."""


MOST_TAKEN = 8
"""Most positions that are taken one by one, and joined again."""


def get_item(reading: Reading) -> int:
    """`x[..., ::-1]`, `x[:, 1:, 1:, :]`, `x[:, 0]`, `x[:, None]`: each axis by an operator, the last axis first."""
    if len(reading.inputs) > 1:
        raise OpError("its index is a layer")
    key = reading.given[1]
    sizes = reading.nodes[reading.inputs[0]].shape
    whole = [*key] if isinstance(key, (tuple, list)) else [key]
    parts = [part for part in whole if part is not None]
    if Ellipsis in parts:
        place = parts.index(Ellipsis)
        parts[place : place + 1] = [slice(None)] * (len(sizes) + 2 - len(parts))
    parts += [slice(None)] * (len(sizes) + 1 - len(parts))
    if len(parts) != len(sizes) + 1 or not all(type(part) in (int, slice) for part in parts):
        raise OpError("its index is neither a number nor a range")
    if parts[0] != slice(None) or whole[:1] == [None]:
        raise OpError("it selects images of the batch", help=KEEP_BATCH)
    node = reading.inputs[0]
    for axis in range(len(sizes), 0, -1):
        node = _part(reading, node, axis, parts[axis])
    return _of_shape(reading, node, reading.call.shape) if None in whole else node


def _part(reading: Reading, node: int, axis: int, part: int | slice) -> int:
    """The node for a number or a range along one axis, counted as in Keras."""
    if isinstance(part, int):
        return reading.add("take", node, indices=part, axis=axis)
    shape = reading.nodes[node].shape
    size = shape[axis - 1]
    step = part.step or 1
    if size is not None:
        kept = range(size)[part]
        if not kept:
            raise OpError(
                f"its range `{_words(part)}` selects none of the {size} positions of axis {axis}",
                help="change the range: a layer of a spec gives at least one value",
            )
        if step < 0 and axis == len(shape) and len(kept) <= MOST_SELECTED:
            return reading.add("select_channels", node, indices=list(kept))
    if step < 0:  # the same positions in their order, then reversed, then every second one
        if part.stop == -1:
            raise OpError(f"its range `{_words(part)}` selects nothing from axis {axis}", help="change the range")
        first = None if part.stop is None else part.stop + 1
        end = None if part.start in (None, -1) else part.start + 1
        node = _flipped(reading, _slice(reading, node, axis, first, end), axis)
        return _slice(reading, node, axis, None, None, -step)
    return _slice(reading, node, axis, part.start, part.stop, step)


def _words(part: slice) -> str:
    """The range as in Python: `3:1`, `::-2`."""
    start, stop, step = ("" if each is None else str(each) for each in (part.start, part.stop, part.step))
    return f"{start}:{stop}" + (f":{step}" if step else "")


def _slice(reading: Reading, node: int, axis: int, start: int | None, end: int | None, step: int = 1) -> int:
    """The node for a range in the order of the axis; positions outside the axis are moved to its ends, as in NumPy."""
    shape = reading.nodes[node].shape
    size = shape[axis - 1]
    if size is not None:
        start, end = (None if each is None else max(-size, min(each, size)) for each in (start, end))
        start = None if start == -size else start
    end = None if end == size else end
    if not start and end is None and step == 1:
        return node
    return reading.add("slice", node, start=start or 0, end=end, axis=-1 if axis == len(shape) else axis, step=step)


def _flipped(reading: Reading, node: int, axis: int) -> int:
    """The reverse order of an axis: of few channels, as of RGB, with their indices."""
    shape = reading.nodes[node].shape
    size = shape[axis - 1]
    if axis == len(shape) and size is not None and size <= MOST_SELECTED:
        return reading.add("select_channels", node, indices=list(range(size))[::-1])
    return reading.add("flip", node, axis=axis)


def _of_shape(reading: Reading, node: int, shape: Shape) -> int:
    """The node with axes of size 1 added or removed, or with other sizes."""
    if tuple(reading.nodes[node].shape) == tuple(shape):
        return node
    if list(shape).count(None) > 1:
        raise OpError(f"its output {show(shape)} has more than one free size", help="give the input fixed sizes")
    return reading.add("reshape", node, target_shape=[-1 if size is None else size for size in shape])


def flip(reading: Reading) -> int:
    """`keras.ops.flip`, along one axis or several."""
    rank = len(reading.nodes[reading.inputs[0]].shape)
    given = reading.layer.axis
    if given is None:
        raise OpError(
            "without `axis` it reverses the images of the batch, too",
            help="name the axes: `ops.flip(x, axis=1)` reverses the rows of images",
        )
    node = reading.inputs[0]
    for axis in [given] if isinstance(given, int) else given:
        node = _flipped(reading, node, _not_batch(axis, rank))
    return node


def _not_batch(axis: int, rank: int) -> int:
    """An axis from 1 on. Raises OpError for the batch axis."""
    if not axis % (rank + 1):
        raise OpError("it changes the batch axis", help=KEEP_BATCH)
    return axis % (rank + 1)


def expand_dims(reading: Reading) -> int:
    """`keras.ops.expand_dims`: a new axis of size 1."""
    given = reading.layer.axis
    rank = len(reading.call.shape)
    for axis in [given] if isinstance(given, int) else given:
        _not_batch(axis, rank)
    return _of_shape(reading, reading.inputs[0], reading.call.shape)


def squeeze(reading: Reading) -> int:
    """`keras.ops.squeeze`: without axes of size 1."""
    if not reading.call.shape:
        raise OpError("its output has no axis besides the batch", help="keep one axis")
    return _of_shape(reading, reading.inputs[0], reading.call.shape)


def swap_axes(reading: Reading) -> int:
    """`keras.ops.swapaxes`: two axes in each other's place."""
    rank = len(reading.nodes[reading.inputs[0]].shape)
    one, other = (_not_batch(axis, rank) for axis in (reading.layer.axis1, reading.layer.axis2))
    dims = list(range(1, rank + 1))
    dims[one - 1], dims[other - 1] = other, one
    return reading.add("permute", dims=dims)


def move_axes(reading: Reading) -> int:
    """`keras.ops.moveaxis`: axes in new places, the others in their order."""
    rank = len(reading.nodes[reading.inputs[0]].shape)
    sources, places = (
        [_not_batch(axis, rank) for axis in ([given] if isinstance(given, int) else given)]
        for given in (reading.layer.source, reading.layer.destination)
    )
    dims = [axis for axis in range(1, rank + 1) if axis not in sources]
    for place, source in sorted(zip(places, sources, strict=True)):
        dims.insert(place - 1, source)
    return reading.add("permute", dims=dims)


def split(reading: Reading) -> list[int]:
    """`keras.ops.split`: a slice for each part."""
    (node,) = reading.inputs
    shape = reading.nodes[node].shape
    axis = _not_batch(reading.layer.axis, len(shape))
    size, given = shape[axis - 1], reading.layer.indices_or_sections
    if isinstance(given, int):
        if size is None:
            raise OpError(f"it splits axis {axis}, whose size is free")
        ends = [size // given * number for number in range(1, given)]
    else:
        ends = [int(each) for each in given]
    pairs = zip([0, *ends], [*ends, size], strict=True)
    return [_part(reading, node, axis, slice(start, end)) for start, end in pairs]


def unstack(reading: Reading) -> list[int]:
    """`keras.ops.unstack`: each position of an axis."""
    (node,) = reading.inputs
    axis = _not_batch(reading.layer.axis, len(reading.nodes[node].shape))
    number = len(reading.call.node.outputs)
    return [reading.add("take", node, indices=position, axis=axis) for position in range(number)]


def stack(reading: Reading) -> int:
    """`keras.ops.stack`: single channels of one layer in another order, as for Caffe; else a new axis and a concat."""
    nodes = [reading.nodes[index] for index in reading.inputs]
    rank = len(nodes[0].shape) + 1
    axis = _not_batch(reading.layer.axis, rank)
    if axis == rank and len({node.inputs for node in nodes}) == 1 and all(node.op.name == "take" for node in nodes):
        shape = reading.nodes[nodes[0].inputs[0]].shape
        taken = [vars(node.op) for node in nodes]
        if len(shape) == rank and all(each["axis"] in (-1, rank) for each in taken):
            return reading.add(
                "select_channels", *nodes[0].inputs, indices=[each["indices"] % shape[-1] for each in taken]
            )
    raised = [
        _of_shape(reading, index, (*node.shape[: axis - 1], 1, *node.shape[axis - 1 :]))
        for index, node in zip(reading.inputs, nodes, strict=True)
    ]
    return reading.add("concat", *raised, axis=-1 if axis == rank else axis) if len(raised) > 1 else raised[0]


def take(reading: Reading) -> int:
    """`keras.ops.take` of channels, or of positions along another axis."""
    import numpy as np

    shape = reading.nodes[reading.inputs[0]].shape
    values = [value for value in reading.given[1:] if value is not None]
    if len(reading.inputs) > 1 or not values or reading.layer.axis is None:
        raise OpError("its indices are not numbers")
    indices, axis = np.asarray(values[0]), _not_batch(reading.layer.axis, len(shape))
    if indices.ndim == 0:
        return reading.add("take", indices=int(indices), axis=axis)
    size = shape[axis - 1]
    if indices.ndim != 1 or size is None:
        raise OpError(f"it takes several positions of axis {axis}, whose size is free")
    taken = [int(index) % size for index in indices]
    if axis == len(shape):
        return reading.add("select_channels", indices=taken)
    step = taken[1] - taken[0] if len(taken) > 1 else 1
    if step and taken and taken == [taken[0] + step * number for number in range(len(taken))]:
        end = taken[-1] + (1 if step > 0 else -1)
        return _part(reading, reading.inputs[0], axis, slice(taken[0], None if end < 0 else end, step))
    if not 0 < len(taken) <= MOST_TAKEN:
        raise OpError(f"it takes {len(taken)} positions of axis {axis} in an order that is no range")
    parts = [_part(reading, reading.inputs[0], axis, slice(each, each + 1)) for each in taken]
    return reading.add("concat", *parts, axis=axis)
