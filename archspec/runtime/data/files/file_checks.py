"""Checks of image files before training: every image is decoded once, so that a bad one is named at the start.

ChangeDetector finds files that have changed since then.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail
from archspec.runtime.data.files.conversions import lost_alpha, lost_colors, lost_frames
from archspec.runtime.data.files.decode import decode_bytes
from archspec.runtime.data.files.encoded_image import BadImageError, EncodedImage, digest_of, encoded_images, stamp_of
from archspec.runtime.data.files.image_facts import NAMED, ImageFacts, image_facts, in_parallel, quietly, unused_bits
from archspec.runtime.data.images import DIGEST, Images, Report
from archspec.runtime.system.tensorflow_import import import_tensorflow

PIXELS_IN_MEMORY = 512 * 2**20
"""Images of one size are decoded into memory if they need at most this many bytes."""


def checked_files(
    images: Images, cache: Path | None, channels: int, *, skip_bad_images: bool, report: Report
) -> Images:
    """Images in files without the bad ones, their sides known; decoded into memory if they have one size and fit.

    Args:
        images: in files.
        cache: of `cache_file`; None to use no cache.
        channels: 1 or 3, of pixels in memory.
        skip_bad_images: report bad images instead of raising an error.
        report: receives progress and warnings.

    Raises:
        ArchspecError: bad-images, naming the first ten; data-changed.
    """
    encoded = encoded_images(images)
    facts, _ = image_facts(encoded, cache, report)
    bad = [f"{each}: {known.reason}" for each, known in zip(encoded, facts, strict=True) if known.reason]
    if bad:
        _report_bad(bad, "files" if images.spans is None else "records", len(images), skip_bad_images, report)
    good = np.array([row for row, known in enumerate(facts) if not known.reason], np.int64)
    encoded, facts = [encoded[row] for row in good], [facts[row] for row in good]
    if clear := sum(known.transparent for known in facts):
        report(lost_alpha(clear, len(images)))
    if several := sum(known.header.several for known in facts):
        report(lost_frames(several, len(images)))
    if channels == 1 and (colored := sum(known.header.colored for known in facts)):
        report(lost_colors(colored, len(images)))
    if dark := unused_bits(known.greatest for known in facts):
        report(dark)
    images = replace(
        images.only(good),
        sides=np.array([known.header[:2] for known in facts], np.int32).reshape(-1, 2),
        in_part=np.array([known.header.in_part and not known.noisy for known in facts], np.bool_),
        noisy=np.array([known.noisy for known in facts], np.bool_),
        digests=np.frombuffer(b"".join(known.digest for known in facts), np.uint8).reshape(-1, DIGEST),
        stamps=np.array([known.stamp for known in facts], np.int64).reshape(-1, 3),
    )
    pixels = _decoded(encoded, facts, channels)
    if pixels is None:
        return images
    of_files = dict.fromkeys(("files", "spans", "sides", "in_part", "noisy", "stamps"))
    return replace(images, pixels=pixels, names=tuple(map(str, encoded)), **of_files)  # type: ignore[arg-type]


def _decoded(
    images: Sequence[EncodedImage], facts: Sequence[ImageFacts], channels: int
) -> npt.NDArray[np.uint8] | None:
    """uint8 (N, H, W, channels), or None if the images have several sizes or do not fit. Raises data-changed."""
    sizes = {known.header[:2] for known in facts}
    if len(sizes) != 1:
        return None
    shape = (len(images), *sizes.pop(), channels)
    if math.prod(shape) > PIXELS_IN_MEMORY:
        return None
    tf, pixels = import_tensorflow(), np.empty(shape, np.uint8)

    def decode(row: int) -> str:
        try:
            contents = images[row].read()
            if digest_of(contents) != facts[row].digest:
                return "its contents have changed"
            pixels[row] = decode_bytes(tf, contents, channels)
        except BadImageError as bad:
            return str(bad)
        return ""

    with in_parallel(decode, range(len(images))) as reasons:
        for image, reason in zip(images, reasons, strict=True):
            if reason:
                raise fail(
                    "data-changed",
                    f"{image} could be decoded before, but not now: {reason}",
                    help="do not change the images during a run",
                )
    return pixels


def unreadable(images: Sequence[EncodedImage]) -> list[str]:
    """Which of a few images cannot be decoded now, and why: `FILE: a damaged JPEG`."""
    tf, found = import_tensorflow(), []
    with quietly():
        for image in images:
            try:
                decode_bytes(tf, image.read(), channels=3)
            except BadImageError as bad:
                found.append(f"{image}: {bad}")
    return found[:NAMED]


def _report_bad(bad: Sequence[str], kind: str, count: int, skip: bool, report: Report) -> None:
    fact = f"{len(bad):,} of {count:,} {kind} cannot be read as images"
    notes = [*bad[:NAMED], *([f"and {len(bad) - NAMED:,} more"] if len(bad) > NAMED else [])]
    if not skip:
        raise fail("bad-images", fact, notes=notes, help="`--skip-bad-images` leaves them out")
    report(f"{fact} and are left out")
    for note in notes:
        report(f"  {note}")


STAMPS = 256  # files of a task


class ChangeDetector:
    """Finds changed image files: files with another size or time are read, and their digests compared."""

    def __init__(self, images: Images) -> None:
        self._images = images
        self._stamps = None if images.stamps is None else images.stamps.copy()

    def changed(self, rows: npt.NDArray[np.integer[Any]] | slice = slice(None)) -> list[str]:
        """The first ten of these images that have changed, and why; none of images in memory."""
        stamps, digests = self._stamps, self._images.digests
        if self._images.files is None or stamps is None or digests is None:
            return []
        numbers = np.arange(len(self._images))[rows]
        images = encoded_images(self._images.only(numbers))
        now = _stamps([image.file for image in images])
        found: list[str] = []
        for i in np.flatnonzero((now != stamps[numbers]).any(axis=1)).tolist():
            reason = _reason(images[i], digests[numbers[i]].tobytes())
            if not reason:
                stamps[numbers[i]] = now[i]  # the file was touched: do not read it again
                continue
            found.append(f"{images[i]}: {reason}")
            if len(found) == NAMED:
                break
        return found


def _reason(image: EncodedImage, digest: bytes) -> str:
    try:
        return "" if digest_of(image.read()) == digest else "its contents have changed"
    except BadImageError as bad:
        return str(bad)


def _stamps(files: Sequence[str]) -> npt.NDArray[np.int64]:
    """int64 (N, 3), in parallel: files of a network file system take long."""
    chunks = [files[start : start + STAMPS] for start in range(0, len(files), STAMPS)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        stamps = pool.map(lambda chunk: [stamp_of(file) for file in chunk], chunks)
        return np.array([stamp for chunk in stamps for stamp in chunk], np.int64).reshape(-1, 3)
