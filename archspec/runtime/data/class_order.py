"""Images whose classes are put into the order of a network's."""

from __future__ import annotations

import dataclasses

import numpy as np

from archspec.diagnostics import fail, listed
from archspec.runtime.data.images import Images


def in_the_order_of(images: Images, class_names: tuple[str, ...] | None, classes: int, source: str) -> Images:
    """The images with the labels of the network's classes, matched by name; a network without names takes them as is.

    Raises:
        ArchspecError: `classes-mismatch` when the two do not have the same classes.
    """
    if class_names is None:
        if len(images.class_names) != classes:
            fact = f"the network has {classes} classes, and `{source}` has {len(images.class_names)}"
            raise fail("classes-mismatch", fact, help="evaluate it on images of the classes that it was trained on")
        return images
    unknown = [name for name in images.class_names if name not in class_names]
    missing = [name for name in class_names if name not in images.class_names]
    if unknown or missing:
        notes = [f"the network does not know: {_some(unknown)}"] if unknown else []
        notes += [f"the data does not have: {_some(missing)}"] if missing else []
        fact = f"the classes of `{source}` are not those that the network was trained on"
        help = "name the folders of the data as in training, and keep an empty class out of both"
        raise fail("classes-mismatch", fact, notes=notes, help=help)
    place = np.array([class_names.index(name) for name in images.class_names], np.int32)
    return dataclasses.replace(images, class_names=class_names, labels=place[images.labels])


def _some(names: list[str], shown: int = 10) -> str:
    return listed(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
