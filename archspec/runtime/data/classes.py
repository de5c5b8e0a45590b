"""The classes of images and the classes of a network."""

from __future__ import annotations

import dataclasses

import numpy as np

from archspec.diagnostics import fail, listed
from archspec.runtime.data.images import Images


def check_classes(network: int, classes: int, data: str) -> None:
    """Raises classes-mismatch unless the network has one output for each class of the data."""
    if network != classes:
        fact = f"the network has {network} classes, and `{data}` has {classes}"
        raise fail("classes-mismatch", fact, help=f"`--set classes={classes}`")


def match_classes(images: Images, class_names: tuple[str, ...] | None, classes: int, data: str) -> Images:
    """The images with the labels of the network's classes, matched by name.

    A network without class names takes the labels as they are.

    Raises:
        ArchspecError: classes-mismatch if images and network do not have the same classes.
    """
    if class_names is None:
        if len(images.class_names) != classes:
            fact = f"the network has {classes} classes, and `{data}` has {len(images.class_names)}"
            raise fail("classes-mismatch", fact, help="evaluate on images of the classes of the training")
        return images
    unknown = [name for name in images.class_names if name not in class_names]
    missing = [name for name in class_names if name not in images.class_names]
    if unknown or missing:
        notes = [f"only in the data: {listed(unknown, 10)}"] if unknown else []
        notes += [f"only in the network: {listed(missing, 10)}"] if missing else []
        fact = f"the classes of `{data}` are not the classes that the network was trained on"
        help = "use the same class names as in training; the data must have every class"
        raise fail("classes-mismatch", fact, notes=notes, help=help)
    place = np.array([class_names.index(name) for name in images.class_names], np.int32)
    return dataclasses.replace(images, class_names=class_names, labels=place[images.labels])
