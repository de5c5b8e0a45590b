"""What a source of images holds: every image decoded once, counts, sizes, formats and colours."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from archspec.diagnostics import fail, listed, printable
from archspec.runtime.data.files.entries import entries_of
from archspec.runtime.data.files.entry import GONE, Entry, items_of
from archspec.runtime.data.files.examine import named
from archspec.runtime.data.files.moments import COUNT, Colours, colours, moments
from archspec.runtime.data.images import DIGEST, Images, Report
from archspec.runtime.data.report.copies import Copies, copies_of
from archspec.runtime.data.sources.npz import to_channels
from archspec.runtime.data.sources.registry import parts_of, place_of_source

CLASSES = 20  # classes that are named one by one


@dataclass(frozen=True)
class Part:
    """`train`, `val`, or "" for data in one piece: the images, and what was found of each."""

    images: Images
    entries: list[Entry]


@dataclass(frozen=True)
class Manifest:
    """A source with every image decoded once."""

    data: str
    parts: dict[str, Part]
    decoded: int
    """Images that were decoded now, because they were new or changed."""

    @property
    def bad(self) -> list[tuple[str, str]]:
        """Files that cannot be read as images, and why."""
        files = (part for part in self.parts.values() if part.images.files is not None)
        each = (pair for part in files for pair in zip(items_of(part.images), part.entries, strict=True))
        return [(named(item), entry.reason) for item, entry in each if entry.reason]

    @property
    def problems(self) -> list[str]:
        """Why `train` would refuse the source even without its bad files: classes that differ, or have no image."""
        found = []
        training = next((name for name in ("train", "") if name in self.parts), None)
        for name, part in self.parts.items():
            if training is not None and name != training:
                pairs = ((training, name), (name, training))
                for one, other in pairs:
                    others = self.parts[other].images.class_names
                    only = [each for each in self.parts[one].images.class_names if each not in others]
                    if only:
                        found.append(f"classes only in `{one}`: {listed(map(printable, only), CLASSES)}")
            empty = [each for each, count in _class_counts(part) if not count]
            if empty and name == training:
                found.append(f"classes without a training image: {listed(empty, CLASSES)}")
        return found

    @property
    def copies(self) -> Copies:
        """Good images in files that are there more than once."""
        return copies_of({name: (part.images, part.entries) for name, part in self.parts.items()})

    @property
    def colours(self) -> Colours | None:
        """Over the good images of the training part, or of all where it is in one piece; grey ones count as RGB."""
        part = self.parts.get("train") or next(iter(self.parts.values()))
        return colours(sum((entry.moments for entry in part.entries), np.zeros(COUNT)))

    def render(self, format: Literal["text", "json"] = "text") -> str:
        """The manifest as text, whose last line can be pasted into a spec, or as JSON."""
        from archspec.runtime.data.report.manifest_text import manifest_text

        return json.dumps(self.to_json()) if format == "json" else manifest_text(self)

    def to_json(self) -> dict[str, Any]:
        """Counts, sizes, formats, modes, bad files, copies, problems, and the colours of the training images."""
        good = [entry for part in self.parts.values() for entry in part.entries if not entry.reason]
        found, copies = self.colours, self.copies
        return {
            "data": self.data,
            "images": len(good),
            "bad": [{"file": file, "reason": reason} for file, reason in self.bad],
            "problems": self.problems,
            "parts": {name: dict(_class_counts(part)) for name, part in self.parts.items()},
            "formats": dict(Counter(entry.format for entry in good)),
            "height": _spread([entry.height for entry in good]),
            "width": _spread([entry.width for entry in good]),
            "modes": dict(Counter(entry.mode for entry in good if entry.mode)),
            "transparent": sum(entry.transparent for entry in good),
            "turned_by_exif": sum(entry.orientation != 1 for entry in good),
            "copies": copies.copies,
            "copies_of_training_images": copies.shared,
            "of_several_classes": [list(pair) for pair in copies.contradicting],
            "mean": found and found.mean,
            "std": found and found.std,
            "pca_deviations": found and found.deviations,
            "pca_components": found and found.components,
        }


def _class_counts(part: Part) -> Iterator[tuple[str, int]]:
    good = [label for label, entry in zip(part.images.labels.tolist(), part.entries, strict=True) if not entry.reason]
    counts = Counter(good)
    return ((printable(name), counts[label]) for label, name in enumerate(part.images.class_names))


def _spread(values: list[int]) -> dict[str, float] | None:
    if not values:
        return None
    return {"least": min(values), "median": float(np.median(values)), "greatest": max(values)}


def make_manifest(data: str, *, report: Report, keep: bool = True) -> Manifest:
    """The manifest of a source, as `--data` names it.

    keep: read and write what is known of unchanged files, in the user's cache folder.
    Raises what `open_data` raises but for bad images, which the manifest names.
    """
    parts = parts_of(data, report)
    if any(images.pixels is not None for images in parts.values()):
        return Manifest(data, {name: Part(images, _of_pixels(images, data)) for name, images in parts.items()}, 0)
    items = [item for images in parts.values() for item in items_of(images)]
    found, decoded = entries_of(items, place_of_source(data) if keep else None, report, forget=True)
    rest = iter(found)
    return Manifest(
        data, {name: Part(images, [next(rest) for _ in items_of(images)]) for name, images in parts.items()}, decoded
    )


def _of_pixels(images: Images, data: str) -> list[Entry]:
    """The entries of images in memory. Raises data-shape for series and volumes."""
    pixels = images.pixels
    if pixels is None or pixels.ndim != 4:
        raise fail("data-shape", f"`{data}` holds no images (height, width, channels)")
    height, width = pixels.shape[1:3]
    rgb = to_channels(pixels.astype(np.uint8), 3, f"`{data}`")
    return [Entry(GONE, bytes(DIGEST), "", "array", height, width, 1, "", False, moments(image)) for image in rgb]
