"""Duplicate images of a data source: files with the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from archspec.runtime.data.files.encoded_image import EncodedImage, encoded_images
from archspec.runtime.data.files.image_facts import ImageFacts
from archspec.runtime.data.images import Images


class Copies(NamedTuple):
    """Counts of duplicate images.

    Attributes:
        copies: images with the same bytes as an earlier one.
        shared: of these, images outside of the training part that are training images too: they measure memorization.
        contradicting: for each image with several classes, its first file and the first file of another class.
    """

    copies: int
    shared: int
    contradicting: list[tuple[str, str]]


def copies_of(parts: Mapping[str, tuple[Images, list[ImageFacts]]]) -> Copies:
    """The duplicates among the good images of all parts."""
    first: dict[bytes, tuple[str, str, EncodedImage]] = {}
    contradicting: dict[bytes, tuple[str, str]] = {}
    copies = shared = 0
    for part, (images, facts) in parts.items():
        if images.files is None:
            continue
        names = [images.class_names[label] for label in images.labels.tolist()]
        for image, known, name in zip(encoded_images(images), facts, names, strict=True):
            if known.reason:
                continue
            if known.digest not in first:
                first[known.digest] = part, name, image
                continue
            its_part, its_name, its_image = first[known.digest]
            copies += 1
            shared += part != its_part == "train"
            if its_name != name:
                contradicting.setdefault(known.digest, (str(its_image), str(image)))
    return Copies(copies, shared, list(contradicting.values()))
