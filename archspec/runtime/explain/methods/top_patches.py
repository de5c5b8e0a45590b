"""The patches of a data set that excite a channel most (Zeiler & Fergus 2014, figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.declare import POSITIVE, arg, declared
from archspec.diagnostics import counted, fail
from archspec.runtime.data.images import Report
from archspec.runtime.explain.class_activation import spatial_layer
from archspec.runtime.explain.explain_method import CHANNELS, SPATIAL_LAYER, ExplainMethod
from archspec.runtime.explain.explanation import Findings
from archspec.runtime.explain.image_batches import ImageBatches
from archspec.runtime.explain.map_scaling import Array
from archspec.runtime.explain.open_layer import OpenLayer, check_channels
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.runtime.explain.patches import Field, cut, field_of
from archspec.runtime.explain.unit_projection import check_projection, project

CLIPPED = 99.5  # percentile of |projection| that is drawn black or white


@dataclass
class Strongest:
    """The strongest image of each channel so far, `count` of them: one unit an image. Its size is that of the layer."""

    channels: int
    count: int
    images: int = 0
    total: npt.NDArray[np.float64] = field(init=False)
    squares: npt.NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.values = np.full((self.channels, self.count), -np.inf, np.float32)
        self.rows = np.full((self.channels, self.count), -1, np.int64)  # number of the image
        self.units = np.zeros((self.channels, self.count), np.int64)  # index of the position
        self.total, self.squares = np.zeros(self.channels), np.zeros(self.channels)

    def add(self, features: Array, rows: npt.NDArray[np.int64]) -> None:
        """Take in the features (B, h, w, C) of the images with these numbers."""
        flat = features.reshape(len(features), -1, self.channels)
        units, values = flat.argmax(axis=1).T, flat.max(axis=1).T  # (C, B)
        self.images += len(features)
        self.total += values.sum(axis=1, dtype=np.float64)
        self.squares += (values.astype(np.float64) ** 2).sum(axis=1)
        both = np.concatenate([self.values, values], axis=1)
        order = np.argsort(-both, axis=1, kind="stable")[:, : self.count]  # of equal values the first image stays
        self.values = np.take_along_axis(both, order, 1)
        self.rows = np.take_along_axis(np.concatenate([self.rows, np.tile(rows, (self.channels, 1))], 1), order, 1)
        self.units = np.take_along_axis(np.concatenate([self.units, units], 1), order, 1)

    def most_varied(self, count: int) -> npt.NDArray[np.int64]:
        """The channels whose strongest activation differs most between images, in units of its mean."""
        mean = self.total / max(self.images, 1)
        spread = np.sqrt(np.maximum(self.squares / max(self.images, 1) - mean**2, 0))
        share = np.divide(spread, mean, out=np.zeros_like(mean), where=mean > 0)
        active = share * (self.values[:, 0] > 0)
        return np.sort(np.argsort(-active, kind="stable")[:count])


@declared
class TopPatches(ExplainMethod):
    """Top patches: the images of a data set that excite a channel most, cut to what the unit sees.

    Beside each 3 x 3 grid of patches are their projections by the deconvnet (Zeiler & Fergus 2014, figure 2). An image
    counts once for each channel. The data set is read once, and then only the images that are shown.
    """

    name = "top-patches"
    takes = "data"

    layer: str | None = SPATIAL_LAYER
    channels: tuple[int, ...] = CHANNELS
    count: int = arg(POSITIVE, "number of most varied channels, where none are chosen", 16)
    patches: int = arg(POSITIVE, "patches for each channel", 9)

    def check(self, network: OpenNetwork) -> None:
        place = spatial_layer(network, self.layer)
        if None in network.input_shape:
            fact = "the input of the network has a free size"
            raise fail("method-not-applicable", fact, help="build the network with a fixed input size")
        check_projection(network, place)
        check_channels(place, self.channels)

    def explained_layer(self, network: OpenNetwork) -> str | None:
        return spatial_layer(network, self.layer).path

    def explain(self, network: OpenNetwork, images: ImageBatches, report: Report) -> Findings:
        place = spatial_layer(network, self.layer)
        strongest = Strongest(place.shape[-1] or 0, self.patches)
        names: list[str] = []
        labels: list[str | None] = []
        for batch in images:
            rows = np.arange(strongest.images, strongest.images + len(batch))
            strongest.add(network.activations(batch.x, place), rows)
            names += batch.names
            labels += batch.labels
            images.tell(report, strongest.images)
        chosen = np.array(self.channels, np.int64) if self.channels else strongest.most_varied(self.count)
        height, width = (int(side or 0) for side in network.input_shape[:2])
        seen = field_of(network, place, (height, width))
        grids = _patches(network, images, place, strongest, chosen, names, seen)
        entries = [
            {
                "channel": int(channel),
                "images": [
                    {"file": names[row], "label": labels[row], "activation": float(value), "position": list(where)}
                    for row, value, where in _shown(strongest, int(channel), place)
                ],
            }
            for channel in chosen
        ]
        numbers = {"channels": entries, "images_read": strongest.images, "receptive_field": list(seen.size)}
        notes = ["each patch is the whole image: the receptive field is not smaller"] if seen.is_whole else []
        quiet = int((strongest.values[:, 0] <= 0).sum())
        notes += [f"{quiet} of {counted(strongest.channels, 'channel')} are never active"] * bool(quiet)
        lines = [
            f"channel {each['channel']}: {each['images'][0]['activation']:.3g} in {each['images'][0]['file']}"  # type: ignore[index]
            for each in entries
            if each["images"]
        ]

        def draw() -> Any:
            return drawn_channels(grids, chosen, f"{place.path}, fields of {seen.size[0]} x {seen.size[1]} pixels")

        arrays = {f"{kind}/{channel}": grid for channel, pair in grids.items() for kind, grid in pair.items()}
        picture = place.path.replace("/", "-").replace("#", "-")
        return Findings((), {picture: draw}, arrays, numbers, tuple(notes), tuple(lines))


def _shown(strongest: Strongest, channel: int, place: OpenLayer) -> list[tuple[int, float, tuple[int, int]]]:
    """Number of the image, activation and position of each patch of a channel; inactive units are left out."""
    found = []
    for row, value, unit in zip(
        strongest.rows[channel], strongest.values[channel], strongest.units[channel], strict=True
    ):
        if row >= 0 and value > 0:
            top, left = divmod(int(unit), int(place.shape[1] or 1))
            found.append((int(row), float(value), (top, left)))
    return found


def _patches(
    network: OpenNetwork,
    images: ImageBatches,
    place: OpenLayer,
    strongest: Strongest,
    chosen: Sequence[Any] | npt.NDArray[np.int64],
    names: Sequence[str],
    seen: Field,
) -> dict[int, dict[str, npt.NDArray[Any]]]:
    """Channel -> its patches (n, h, w, C), uint8, and their projections (n, h, w, C). Reads only the images shown."""
    wanted: dict[int, list[tuple[int, int]]] = {}
    for channel in chosen:
        for rank, (row, _, _) in enumerate(_shown(strongest, int(channel), place)):
            wanted.setdefault(row, []).append((int(channel), rank))
    rows = sorted(wanted)
    by_name = {names[row]: row for row in rows}
    again = ImageBatches(network, [each for each in images.given if each.name in by_name], images.batch_size)
    found: dict[int, dict[int, tuple[Any, Any]]] = {int(channel): {} for channel in chosen}
    for batch in again:
        features = network.activations(batch.x, place)
        places = [(number, use) for number, name in enumerate(batch.names) for use in wanted[by_name[name]]]
        for start in range(0, len(places), images.batch_size):
            part = places[start : start + images.batch_size]
            numbers = np.array([number for number, _ in part])
            channels = np.array([channel for _, (channel, _) in part])
            sent = project(network, batch.x[numbers], place, features[numbers], channels)
            for (number, (channel, rank)), projection in zip(part, sent, strict=True):
                where = projection.position
                patch = cut(batch.pixels[number], seen, where)
                found[channel][rank] = (patch, cut(projection.pixels, seen, where, 0.0))
    return {
        channel: {
            "patches": np.stack([each[rank][0] for rank in sorted(each)]),
            "projections": np.stack([each[rank][1] for rank in sorted(each)]),
        }
        for channel, each in found.items()
        if each
    }


def drawn_channels(grids: dict[int, dict[str, npt.NDArray[Any]]], chosen: Any, title: str) -> Any:
    """One picture: for each channel the projections and the patches, side by side."""
    from archspec.runtime.explain.picture import cell, contact_sheet, rgb_of, side_by_side, with_heading

    blocks = []
    for channel in map(int, chosen):
        if channel not in grids:
            continue
        patches, sent = grids[channel]["patches"], grids[channel]["projections"]
        largest = np.percentile(np.abs(sent), CLIPPED) or np.abs(sent).max() or 1.0
        levels = np.clip(127.5 + 127.5 * sent / largest, 0, 255).astype(np.uint8)
        grids_ = [_grid(np.stack([rgb_of(each) for each in tiles])) for tiles in (levels, patches)]
        pair = side_by_side([cell(grids_[0], "projections"), cell(grids_[1], "patches")])
        blocks.append(with_heading(pair, f"channel {channel}"))
    return contact_sheet(blocks, title)


def _grid(tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Tiles (n, h, w, 3) in rows of about sqrt(n), each enlarged to at least 48 pixels, with white lines."""
    factor = max(1, -(-48 // max(tiles.shape[1:3])))
    tiles = tiles.repeat(factor, 1).repeat(factor, 2)
    columns = int(np.ceil(np.sqrt(len(tiles))))
    rows = -(-len(tiles) // columns)
    height, width = tiles.shape[1] + 2, tiles.shape[2] + 2
    whole = np.full((rows * height - 2, columns * width - 2, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        whole[row * height :, column * width :][: tile.shape[0], : tile.shape[1]] = tile
    return whole
