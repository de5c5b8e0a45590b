"""Every image is decoded once before training: a bad one is named here, rather than ending the tenth epoch."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail, printable
from archspec.runtime.data.files.decode import decode_bytes
from archspec.runtime.data.files.entries import entries_of
from archspec.runtime.data.files.entry import Entry, Item, digest_of, items_of, read_item
from archspec.runtime.data.files.header import BadImageError
from archspec.runtime.data.files.scan import NAMED, in_order, quietly
from archspec.runtime.data.images import DIGEST, Images, Report

TRANSPARENT = "whose hidden colours are seen, for alpha is dropped: save them on a background to choose one"
CACHE_BYTES = 512 * 2**20
"""Decoded images of one size are kept in memory up to this many bytes."""


def examined(images: Images, place: Path | None, channels: int, *, skip_bad_images: bool, report: Report) -> Images:
    """Images in files, their sides found, without bad ones; in memory when they are of one size and fit.

    place: where what is known of the files is kept (`entries_of`); only new and changed ones are decoded for it.
    Raises bad-images, naming the first ten, unless skip_bad_images leaves them out with a line of report; data-empty.
    """
    items = items_of(images)
    entries, _ = entries_of(items, place, report)
    reasons = {i: entry.reason for i, entry in enumerate(entries) if entry.reason}
    if reasons:
        _bad(items, reasons, skip_bad_images, report)
    good = np.array([i for i in range(len(items)) if i not in reasons], np.int64)
    entries = [entries[i] for i in good]
    if clear := sum(entry.transparent for entry in entries):
        report(f"{clear:,} of {len(items):,} images have transparent pixels, {TRANSPARENT}")
    images = replace(
        images.only(good),
        sides=np.array([(entry.height, entry.width) for entry in entries], np.int32).reshape(-1, 2),
        in_part=np.array([entry.in_part for entry in entries], np.bool_),
        digests=np.frombuffer(b"".join(entry.digest for entry in entries), np.uint8).reshape(-1, DIGEST),
        stamps=np.array([entry.stamp for entry in entries], np.int64).reshape(-1, 3),
    )
    items = [items[i] for i in good]
    pixels = _decoded(items, entries, channels)
    if pixels is None:
        return images
    names = tuple(map(named, items))
    return Images(images.class_names, images.labels, pixels, digests=images.digests, names=names)


def _decoded(items: Sequence[Item], entries: Sequence[Entry], channels: int) -> npt.NDArray[np.uint8] | None:
    """uint8 (N, H, W, channels), when all images have one size and fit. Raises data-changed."""
    sizes = {(entry.height, entry.width) for entry in entries}
    if len(sizes) != 1:
        return None
    shape = (len(items), *sizes.pop(), channels)
    if math.prod(shape) > CACHE_BYTES:
        return None
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf, pixels = import_tensorflow(), np.empty(shape, np.uint8)

    def decode_one(i: int) -> Any:
        contents = read_item(items[i])
        if digest_of(contents) != entries[i].digest:
            raise BadImageError("another image")
        pixels[i] = decode_bytes(tf, contents, channels)

    # closing: an interrupt cancels what is queued
    with (
        quietly(),
        ThreadPoolExecutor(os.cpu_count()) as pool,
        contextlib.closing(in_order(pool, decode_one, len(items))) as run,
    ):
        for item, outcome in zip(items, run, strict=True):
            if isinstance(outcome, BadImageError):
                fact = f"{named(item)} could be read before, and now cannot: {outcome}"
                raise fail("data-changed", fact, help="leave the images as they are")
    return pixels


def unreadable(items: Sequence[Item]) -> list[str]:
    """Which of a few images cannot be read now, and why: `FILE: a damaged JPEG`."""
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf, found = import_tensorflow(), []
    with quietly():
        for item in items:
            try:
                decode_bytes(tf, read_item(item), channels=3)
            except BadImageError as bad:
                found.append(f"{named(item)}: {bad}")
    return found[:NAMED]


def named(item: Item) -> str:
    """How an image is called: its file, and where it is in that."""
    return printable(item.file) + (f" at byte {item.offset:,}" if item.length >= 0 else "")


def _bad(items: Sequence[Item], reasons: dict[int, str], skip: bool, report: Report) -> None:
    what = "files" if items[0].length < 0 else "records"
    fact = f"{len(reasons):,} of {len(items):,} {what} cannot be read as images"
    notes = [f"{named(items[i])}: {reason}" for i, reason in list(reasons.items())[:NAMED]]
    if len(reasons) > NAMED:
        notes.append(f"and {len(reasons) - NAMED:,} more")
    if not skip:
        raise fail("bad-images", fact, notes=notes, help="--skip-bad-images leaves them out")
    report(f"{fact} and are left out")
    for note in notes:
        report(f"  {note}")
