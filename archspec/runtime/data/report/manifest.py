"""The manifest of a data source: counts, sizes, formats and colors, with every image decoded once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from archspec.arguments import public
from archspec.diagnostics import counted, fail, listed, printable, visible
from archspec.runtime.data.files.conversions import TRANSPARENT
from archspec.runtime.data.files.encoded_image import MISSING, EncodedImage, Header, encoded_images
from archspec.runtime.data.files.image_facts import (
    SUMS,
    ImageFacts,
    cache_file,
    color_sums,
    image_facts,
    unused_bits,
)
from archspec.runtime.data.images import DIGEST, Images, Report, label_texts, to_channels
from archspec.runtime.data.report.checked_part import CheckedPart
from archspec.runtime.data.report.color_statistics import ColorStatistics, color_statistics
from archspec.runtime.data.report.planned import HeldOut, ListedClasses, held_out, listed_classes
from archspec.runtime.data.sources.dataset import check_names, look_alikes, open_parts, os_errors
from archspec.runtime.data.sources.parts import Parts

CLASSES = 20  # classes that a line names
NAMED = 20  # bad files that the text names


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


@dataclass(frozen=True)
class Manifest:
    """A data source with every image decoded once.

    Attributes:
        data: DATA as the user wrote it.
        parts: by name.
        source: the parts as the data source has them.
        decoded: number of images that were decoded for this manifest: new ones and changed ones.
        held_out: what a share for validation makes of the training images, if one was given.
        listed: how the classes match those of a list, if one was given.
    """

    data: str
    parts: dict[str, CheckedPart]
    source: Parts
    decoded: int
    held_out: HeldOut | None = None
    listed: ListedClasses | None = None

    def __repr__(self) -> str:
        parts = ", ".join(f"{len(part.images):,} in {name or 'one part'}" for name, part in self.parts.items())
        return f"<Manifest of {printable(self.data)}: images: {parts}; {len(self.bad)} bad>"

    def __str__(self) -> str:
        return self.render()

    @property
    def bad(self) -> list[tuple[str, str]]:
        """Files that cannot be read as images, and why."""
        return [(str(image), known.reason) for image, known in self._pairs() if known.reason]

    def _pairs(self) -> Iterator[tuple[EncodedImage, ImageFacts]]:
        for part in self.parts.values():
            yield from zip(encoded_images(part.images), part.facts, strict=False)

    @property
    def problems(self) -> list[str]:
        """Other reasons why `train` would reject the data: unknown classes in a part, classes without images."""
        training = self.source.train
        if training is None or training not in self.parts:
            return []
        found = [] if self.listed is None else list(self.listed.problems)
        if len(self.source.class_names[training]) == 1:
            found.append("there is only one class; a classifier needs at least two")
        classes = {name: part.images.class_names for name, part in self.parts.items()}
        for name in classes:
            only = [printable(each) for each in classes[name] if each not in classes[training]]
            if only:
                found.append(f"classes only in `{printable(name)}`: {listed(only, CLASSES)}")
        empty = [name for name, count in self.parts[training].class_counts().items() if not count]
        if empty:
            found.append(f"classes without a training image: {listed(empty, CLASSES)}")
        return found

    @property
    def missing_classes(self) -> dict[str, list[str]]:
        """The classes of the training part that another part has no images of; parts with all classes are omitted."""
        training = self.parts.get(self.source.train or "")
        if training is None:
            return {}
        counts = {name: part.class_counts() for name, part in self.parts.items() if part is not training}
        missing = {
            name: [each for each in training.class_counts() if not own.get(each)] for name, own in counts.items()
        }
        return {printable(name): classes for name, classes in missing.items() if classes}

    @property
    def copies(self) -> Copies:
        """Duplicates among the good images in files of all parts."""
        first: dict[bytes, tuple[str, str, EncodedImage]] = {}
        contradicting: dict[bytes, tuple[str, str]] = {}
        copies = shared = 0
        for part, checked in self.parts.items():
            names = label_texts(checked.images)
            for image, known, name in zip(encoded_images(checked.images), checked.facts, names, strict=False):
                if known.reason:
                    continue
                if known.digest not in first:
                    first[known.digest] = part, name, image
                    continue
                its_part, its_name, its_image = first[known.digest]
                copies += 1
                shared += part != its_part == (self.source.train or "train")
                if its_name != name:
                    contradicting.setdefault(known.digest, (str(its_image), str(image)))
        return Copies(copies, shared, list(contradicting.values()))

    @property
    def colors(self) -> ColorStatistics | None:
        """Of the good images of the training part, or of the only part, as RGB."""
        part = self.parts.get(self.source.train or "") or next(iter(self.parts.values()))
        return color_statistics(sum((known.sums for known in part.facts), np.zeros(SUMS)))

    @public()
    def render(self, format: Literal["text", "json"] = "text") -> str:
        """The manifest as text, whose last two lines can be copied into a spec, or as JSON."""
        return json.dumps(self.to_json()) if format == "json" else manifest_text(self)

    def _columns(self) -> dict[str, Any]:
        found = {printable(name): [each.to_json() for each in part.columns()] for name, part in self.parts.items()}
        return {"label_columns": found} if any(found.values()) else {}

    def to_json(self) -> dict[str, Any]:
        """The form of `archspec data check --format json`."""
        good = [known for part in self.parts.values() for known in part.facts if not known.reason]
        found, copies = self.colors, self.copies
        return {
            "data": self.data,
            "images": len(good),
            "bad": [{"file": file, "reason": reason} for file, reason in self.bad],
            "problems": self.problems,
            "missing_classes": self.missing_classes,
            "parts": {printable(name): part.class_counts() for name, part in self.parts.items()},
            **self._columns(),
            "train": self.source.train,
            "validation": self.source.validation,
            "not_used": self.source.not_used(),
            "validation_split": self.held_out and self.held_out._asdict(),
            "class_list": list(self.listed.lines) if self.listed else None,
            "formats": dict(Counter(known.header.format for known in good)),
            "height": _spread([known.header.height for known in good]),
            "width": _spread([known.header.width for known in good]),
            "modes": dict(Counter(known.header.mode for known in good if known.header.mode)),
            "transparent": sum(known.transparent for known in good),
            "several_frames": sum(known.header.several for known in good),
            "turned_by_exif": sum(known.header.orientation != 1 for known in good),
            "extra_bytes": [str(image) for image, known in self._pairs() if known.noisy],
            "without_end": [str(image) for image, known in self._pairs() if known.endless],
            "dark": unused_bits(each.greatest for each in good),
            "copies": copies.copies,
            "copies_of_training_images": copies.shared,
            "of_several_classes": [list(pair) for pair in copies.contradicting],
            "mean": found and found.mean,
            "std": found and found.std,
            "pca_deviations": found and found.deviations,
            "pca_components": found and found.components,
        }


def _spread(values: list[int]) -> dict[str, float] | None:
    return {"least": min(values), "median": float(np.median(values)), "greatest": max(values)} if values else None


def make_manifest(
    data: str,
    *,
    report: Report,
    split: str | None = None,
    keep: bool = True,
    validation_split: float | None = None,
    classes: str | None = None,
) -> Manifest:
    """The manifest of a data source.

    Args:
        data: a data source, as for `--data`.
        split: the name of a part, to check this one only.
        report: receives progress and warnings.
        keep: read and write the cache of facts about unchanged files.
        validation_split: the share that training would hold out.
        classes: a file with the names of classes that the data should have.

    Raises:
        ArchspecError: those of `open_data`, but not bad-images and data-classes, which the manifest lists; data-shape
            for series and volumes.
    """
    source = open_parts(data, report)
    check_names(source, data)
    only = None if split is None else source.named(split)
    if split is not None and only is None:
        raise source.not_found(split, data)
    with os_errors(data):
        parts = dict(source) if only is None else {only: source[only]}
        share = None if validation_split is None else held_out(source, validation_split, data)
    names = None if classes is None else listed_classes(classes, parts.values(), data)
    if any(images.pixels is not None for images in parts.values()):
        checked = {name: CheckedPart(images, _of_pixels(images, data)) for name, images in parts.items()}
        return Manifest(data, checked, source, 0, share, names)
    encoded = [image for images in parts.values() for image in encoded_images(images)]
    facts, decoded = image_facts(encoded, cache_file(data) if keep else None, report, forget=only is None)
    rest = iter(facts)
    checked = {name: CheckedPart(images, [next(rest) for _ in range(len(images))]) for name, images in parts.items()}
    return Manifest(data, checked, source, decoded, share, names)


def _of_pixels(images: Images, data: str) -> list[ImageFacts]:
    """The facts of images in memory. Raises data-shape for series and volumes."""
    pixels = images.pixels
    if pixels is None or pixels.ndim != 4:
        raise fail("data-shape", f"`{data}` has no images (height, width, channels)")
    height, width = pixels.shape[1:3]
    header = Header(height, width, "array", 1, "")
    rgb = to_channels(pixels.astype(np.uint8), 3, data)
    return [ImageFacts(MISSING, bytes(DIGEST), "", header, sums=color_sums(image)) for image in rgb]


def manifest_text(manifest: Manifest) -> str:
    """Several lines; the last two can be copied into a spec."""
    facts = manifest.to_json()
    lines = [f"{visible(manifest.data)}: {counted(facts['images'], 'image')}"]
    if manifest.bad:
        lines[0] += f", and {counted(len(manifest.bad), 'file')} that cannot be read"
    if manifest.decoded < facts["images"] + len(manifest.bad) and "array" not in facts["formats"]:
        changed = f"{manifest.decoded:,} of the files" if manifest.decoded else "none of the files"
        lines[0] += f"; {changed} changed since the last check"
    for name, part in manifest.parts.items():
        if part.images.columns:
            lines.append(f"  {printable(name) or 'all'}: {counted(len(part.images), 'image')}")
            lines += [f"    {visible(str(each))}" for each in part.columns()]
    for name, counts in facts["parts"].items():
        if not counts:
            continue
        classes = listed((f"{each} {count:,}" for each, count in counts.items()), CLASSES)
        lines.append(
            f"  {name or 'all'}: {counted(sum(counts.values()), 'image')} of {counted(len(counts), 'class')}: {classes}"
        )
    lines.append(f"  {manifest.source.described()}")
    lines += [f"  {line}" for line in (manifest.held_out.lines() if manifest.held_out else ())]
    lines += [f"  {line}" for line in (manifest.listed.lines if manifest.listed else ())]
    lines += [f"  {line}" for line in look_alikes(manifest.source)]
    for name in ("formats", "modes"):
        if counts := facts[name]:
            lines.append(f"  {name}: {listed(f'{each} {count:,}' for each, count in counts.items())}")
    for side in ("height", "width"):
        if spread := facts[side]:
            lines.append(f"  {side}: {spread['least']} to {spread['greatest']} pixels, median {spread['median']:g}")
    if facts["turned_by_exif"]:
        lines.append(f"  rotated by their EXIF orientation: {facts['turned_by_exif']:,}")
    if facts["transparent"]:
        lines.append(f"  with transparent pixels: {facts['transparent']:,}, {TRANSPARENT}")
    if facts["several_frames"]:
        lines.append(f"  with more than one frame or page, of which the first is used: {facts['several_frames']:,}")
    if facts["dark"]:
        lines.append(f"  {facts['dark']}")
    if facts["copies"]:
        shared = facts["copies_of_training_images"]
        others = f"; training images outside of `train`: {shared:,}" if shared else ""
        lines.append(f"  copies of another image: {facts['copies']:,}{others}")
    lines += _named(
        "the same image in two classes", [f"{one} and {other}" for one, other in facts["of_several_classes"]]
    )
    lines += _named("JPEG files with extra bytes after the data, which are ignored", facts["extra_bytes"])
    lines += _named("JPEG files without their last marker, with every pixel", facts["without_end"])
    lines += _named("cannot be read as images", [f"{file}: {reason}" for file, reason in manifest.bad])
    for part, classes in facts["missing_classes"].items():
        lines.append(f"  {part} has no images of {counted(len(classes), 'class')}: {listed(classes, CLASSES)}")
    lines += [f"  {problem}" for problem in facts["problems"]]
    if found := manifest.colors:
        components = ", ".join(f"[{_numbers(row)}]" for row in found.components)
        lines += [
            "colors of the training images, in grey levels 0 to 255:",
            f"  preprocess: [normalize: {{mean: [{_numbers(found.mean)}], std: [{_numbers(found.std)}]}}]",
            f"  pca_color: {{deviations: [{_numbers(found.deviations)}], components: [{components}]}}",
        ]
    return "\n".join(lines)


def _named(heading: str, each: list[str]) -> list[str]:
    """A count, and one line for each of the first ones."""
    if not each:
        return []
    more = [f"    and {len(each) - NAMED:,} more"] if len(each) > NAMED else []
    return [f"  {heading}: {len(each):,}", *(f"    {line}" for line in each[:NAMED]), *more]


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
