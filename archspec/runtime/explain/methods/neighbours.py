"""The nearest images of a data set in the feature space of a layer (Krizhevsky et al. 2012, figure 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.declare import POSITIVE, arg, declared
from archspec.diagnostics import visible
from archspec.runtime.data.images import Report
from archspec.runtime.explain.explain_method import ExplainMethod
from archspec.runtime.explain.explanation import Findings
from archspec.runtime.explain.feature_vectors import VECTOR_LAYER, feature_vectors, vector_layer
from archspec.runtime.explain.image_batches import ImageBatch, ImageBatches
from archspec.runtime.explain.map_scaling import Array
from archspec.runtime.explain.open_layer import OpenLayer
from archspec.runtime.explain.open_network import OpenNetwork

SPACES = ("features", "pixels")


@dataclass
class Nearest:
    """The nearest images of each query so far. Only their pixels are in memory."""

    queries: Array
    """(Q, D)"""
    count: int
    found: list[list[tuple[float, int, str, str | None, Any]]] = field(init=False)
    """For each query: distance, number, name, label and pixels of its neighbours, the nearest first."""

    def __post_init__(self) -> None:
        self.found = [[] for _ in self.queries]

    def add(self, vectors: Array, start: int, batch: ImageBatch, same: Sequence[int]) -> None:
        """Take in the vectors (B, D) of a batch. `same` are the numbers of the queries in the data set, -1 for none."""
        for query, vector in enumerate(self.queries):
            distances = np.sqrt(((vectors - vector) ** 2).sum(axis=1, dtype=np.float64))
            known, own = self.found[query], same[query]
            for row in np.argsort(distances, kind="stable")[: self.count + 1]:
                if start + row != own and (len(known) < self.count or distances[row] < known[-1][0]):
                    entry = (float(distances[row]), int(start + row), batch.names[row], batch.labels[row])
                    known.append((*entry, batch.pixels[row]))
                    known.sort(key=lambda each: each[:2])
                    del known[self.count :]


@declared
class Neighbours(ExplainMethod):
    """Neighbours: the images of a data set that are nearest to each given image (Krizhevsky et al. 2012, figure 4).

    The upper row shows the nearest by the features of a layer, the lower row the nearest by pixel values, both by
    Euclidean distance. Without given images, some of the data set are compared with the others. `--split train` takes
    the training images.
    """

    name = "neighbours"
    takes = "data"

    layer: str | None = VECTOR_LAYER
    count: int = arg(POSITIVE, "neighbours to show", 6)
    queries: int = arg(POSITIVE, "images of the data set to compare, where none are given", 5)

    def check(self, network: OpenNetwork) -> None:
        vector_layer(network, self.layer)

    def explained_layer(self, network: OpenNetwork) -> str | None:
        return vector_layer(network, self.layer).path

    def explain(self, network: OpenNetwork, images: ImageBatches, report: Report) -> Findings:
        place = vector_layer(network, self.layer)
        spaces: dict[str, Callable[[ImageBatch], Array]] = {
            "features": lambda batch: feature_vectors(network, batch, place),
            "pixels": lambda batch: batch.pixels.reshape(len(batch), -1).astype(np.float32),
        }
        own, data = images.given[: images.own], images.given[images.own :]
        asked = own or [data[row] for row in np.linspace(0, len(data) - 1, min(self.queries, len(data))).astype(int)]
        given = list(ImageBatches(network, asked, images.batch_size, bad=images.bad))
        names = [name for batch in given for name in batch.names]
        labels = [label for batch in given for label in batch.labels]
        pixels = [each for batch in given for each in batch.pixels]
        nearest = {
            space: Nearest(np.concatenate([of(batch) for batch in given]), self.count) if given else None
            for space, of in spaces.items()
        }
        seen, bad = 0, dict(images.bad)
        rest = ImageBatches(network, data, images.batch_size, bad=bad)
        for batch in rest if given else ():
            same = [_number(name, batch.names, seen) if not own else -1 for name in names]
            for space, of in spaces.items():
                found = nearest[space]
                assert found is not None
                found.add(of(batch), seen, batch, same)
            seen += len(batch)
            rest.tell(report, seen)
        images.bad.update(bad)
        return self._findings(
            names, labels, pixels, {key: value for key, value in nearest.items() if value}, place, seen
        )

    def _findings(
        self,
        names: Sequence[str],
        labels: Sequence[str | None],
        pixels: Sequence[npt.NDArray[np.uint8]],
        nearest: dict[str, Nearest],
        place: OpenLayer,
        seen: int,
    ) -> Findings:
        entries, lines = [], []
        for query, name in enumerate(names):
            entry: dict[str, Any] = {"file": name, "label": labels[query]}
            for space, found in nearest.items():
                entry[space] = [
                    {"file": file, "label": label, "distance": distance}
                    for distance, _, file, label, _ in found.found[query]
                ]
            shown = ", ".join(
                f"{visible(near['label'] or near['file'])} {distance_text(near['distance'])}"
                for near in entry["features"]
            )
            lines.append(f"{visible(name)}: {shown}")
            entries.append(entry)

        def draw() -> Any:
            return _drawn(names, labels, pixels, nearest, place.path)

        shares = {space: share for space in nearest if (share := _same_label(entries, space)) is not None}
        lines += [
            f"of the neighbours by {space}, {100 * share:.0f} % have the class of their image"
            for space, share in shares.items()
        ]
        numbers = {"queries": entries, "images_read": seen, "share_of_the_same_class": shares}
        return Findings((), {"neighbours": draw}, {}, numbers, (), tuple(lines))


def distance_text(distance: float) -> str:
    """`2.68`, `2,430`."""
    return f"{distance:,.0f}" if distance >= 1000 else f"{distance:.3g}"


def _number(name: str, names: Sequence[str], start: int) -> int:
    return start + names.index(name) if name in names else -1


def _same_label(entries: Sequence[dict[str, Any]], space: str) -> float | None:
    """The share of the neighbours with the class of their query; None where classes are not known."""
    pairs = [
        (each["label"], near["label"]) for each in entries if each["label"] is not None for near in each.get(space, ())
    ]
    return sum(a == b for a, b in pairs) / len(pairs) if pairs else None


def _drawn(
    names: Sequence[str],
    labels: Sequence[str | None],
    pixels: Sequence[npt.NDArray[np.uint8]],
    nearest: dict[str, Nearest],
    path: str,
) -> Any:
    from archspec.runtime.explain.picture import (
        cell,
        contact_sheet,
        rgb_of,
        short_name,
        side_by_side,
        stacked,
        with_heading,
    )

    blocks = []
    for query, name in enumerate(names):
        title = f"true class: {visible(labels[query] or '')}" if labels[query] is not None else "image"
        first = cell(rgb_of(pixels[query]), title)
        rows = []
        for space, found in nearest.items():
            cells = [
                cell(rgb_of(image), f"{visible(label) if label else short_name(file)} {distance_text(distance)}")
                for distance, _, file, label, image in found.found[query]
            ]
            if cells:
                rows.append(with_heading(side_by_side(cells), f"nearest by {space}, with their distance"))
        blocks.append(with_heading(side_by_side([first, stacked(rows)] if rows else [first]), short_name(name)))
    return contact_sheet(blocks, f"neighbours at {path}")
