"""The part of the image that one unit of a layer sees, cut out to one size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, Source
from archspec.graph.analysis.receptive_field import receptive_fields
from archspec.graph.compile.compiler import compile_spec
from archspec.lang.spec.spec import parse
from archspec.runtime.explain.open_layer import OpenLayer
from archspec.runtime.explain.open_network import OpenNetwork

PADDING = 127
"""Grey level outside the image."""


@dataclass(frozen=True)
class Field:
    """The receptive field of the units of a layer, pixels for each axis; unit i sees `size` pixels from its start."""

    size: tuple[int, int]
    stride: tuple[float, float]
    offset: tuple[float, float]
    is_whole: bool = False
    """Whether every unit is taken to see the whole image, since the field is unknown or exceeds the image."""

    def start(self, position: tuple[int, ...]) -> tuple[int, int]:
        """The first row and column that the unit at a position sees; negative in the padding."""
        if self.is_whole:
            return (0, 0)
        starts = [round(o + s * p) for o, s, p in zip(self.offset, self.stride, position, strict=True)]
        return starts[0], starts[1]


def field_of(network: OpenNetwork, place: OpenLayer, size: tuple[int, int]) -> Field:
    """The field of a layer in images of this size, from the static graph of the network."""
    found = _static_field(network, place)
    if found is None or any(side >= whole for side, whole in zip(found.size, size, strict=True)):
        return Field(size, (0, 0), (0, 0), is_whole=True)
    return found


def _static_field(network: OpenNetwork, place: OpenLayer) -> Field | None:
    """None where the network has no static graph, or the field depends on a free size."""
    try:
        if network.metadata.spec is not None:
            graph = compile_spec(parse(Source("archspec.json", network.metadata.spec)))
        else:
            from archspec.runtime.from_keras.model import read_model

            graph = read_model(network.model)
    except ArchspecError:
        return None
    paths = [node.path for node in graph.nodes]
    if place.path not in paths or not place.is_spatial:
        return None
    field = receptive_fields(graph)[paths.index(place.path)]
    if field is None or len(field.size) != 2 or not all(field.stride):
        return None
    height, width = (int(np.ceil(side)) for side in field.size)
    strides, offsets = map(float, field.stride), map(float, field.offset)
    return Field((height, width), (next(strides), next(strides)), (next(offsets), next(offsets)))


def cut(picture: npt.NDArray[Any], field: Field, position: tuple[int, ...], outside: float = PADDING) -> Any:
    """What the unit at a position sees of a picture (H, W, C); outside the image it is filled."""
    top, left = field.start(position)
    whole = np.full((*field.size, picture.shape[-1]), outside, picture.dtype)
    rows = slice(max(top, 0), min(top + field.size[0], picture.shape[0]))
    columns = slice(max(left, 0), min(left + field.size[1], picture.shape[1]))
    inside = picture[rows, columns]
    whole[rows.start - top :, columns.start - left :][: inside.shape[0], : inside.shape[1]] = inside
    return whole
