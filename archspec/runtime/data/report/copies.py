"""Images that a source holds more than once, told by their bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from archspec.runtime.data.files.entry import Entry, items_of
from archspec.runtime.data.files.examine import named
from archspec.runtime.data.images import Images


class Copies(NamedTuple):
    """What is there more than once.

    Attributes:
        copies: images whose bytes an earlier one has.
        shared: images of other parts that the training part has too, so that they measure memory.
        contradicting: of images that several classes have, the first file and the first one of another class.
    """

    copies: int
    shared: int
    contradicting: list[tuple[str, str]]


def copies_of(parts: Mapping[str, tuple[Images, list[Entry]]]) -> Copies:
    """The Copies among the good images of all parts: "train" and others, or one."""
    first: dict[bytes, tuple[str, str, str]] = {}
    contradicting: dict[bytes, tuple[str, str]] = {}
    copies = shared = 0
    for part, (images, entries) in parts.items():
        labels = images.labels.tolist()
        if images.files is None:
            continue
        for item, entry, label in zip(items_of(images), entries, labels, strict=True):
            if entry.reason:
                continue
            name = images.class_names[label]
            there = first.get(entry.digest)
            if there is None:
                first[entry.digest] = (part, name, named(item))
                continue
            copies += 1
            shared += part != there[0] == "train"
            if there[1] != name:
                contradicting.setdefault(entry.digest, (there[2], named(item)))
    return Copies(copies, shared, list(contradicting.values()))
