"""Class activation maps of images with classes of their own, such as the prediction and true class of a mistake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError
from archspec.runtime.data.images import Report
from archspec.runtime.explain.class_activation import Combine
from archspec.runtime.explain.image_batches import ImageBatches
from archspec.runtime.explain.map_scaling import Array
from archspec.runtime.explain.open_layer import OpenLayer
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.runtime.image_inputs import GivenImage


@dataclass(frozen=True, eq=False)
class ClassMaps:
    """An image, and the rectified map of each of its classes."""

    pixels: npt.NDArray[np.uint8]
    """The image as the network sees it, before `preprocess`: (H, W, C)."""
    maps: Array | None
    """(classes, h, w), in the resolution of the layer; None where the network has no layer with spatial extent."""


def maps_of_classes(
    network: OpenNetwork,
    images: Sequence[GivenImage],
    classes: Sequence[Sequence[int]],
    combine: Combine,
    report: Report = lambda line: None,
) -> tuple[list[ClassMaps | None], str | None]:
    """The maps of the classes of each image, from the last layer with spatial extent.

    Args:
        classes: class numbers, equally many for each image.
        combine: `gradcam_maps`, or the function of another class activation method.
        report: called with lines of progress.

    Returns:
        One result for each image, None for one that cannot be read; and the reason if there are no maps.
    """
    place, reason = _layer(network)
    numbered = [replace(image, name=str(number)) for number, image in enumerate(images)]
    batches = ImageBatches(network, numbered, network.batch_size)
    found: list[ClassMaps | None] = [None] * len(images)
    done = 0
    for batch in batches:
        rows = [int(name) for name in batch.names]
        maps = None
        if place is not None:
            wanted = np.array([classes[row] for row in rows], np.int32)
            features, gradients = network.layer_gradients(batch.x, place, wanted)
            maps = np.maximum(combine(place.maps(features), place.maps(gradients)), 0)
        for column, row in enumerate(rows):
            found[row] = ClassMaps(batch.pixels[column], None if maps is None else maps[:, column])
        done += len(rows)
        batches.tell(report, done)
    return found, reason


def _layer(network: OpenNetwork) -> tuple[OpenLayer | None, str | None]:
    """The last layer with spatial extent, or the reason why there is none."""
    try:
        return network.last_spatial, None
    except ArchspecError as error:
        return None, error.diagnostics[0].message
