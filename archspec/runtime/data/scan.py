"""Every file is decoded once before training: a bad one is named here, rather than ending the tenth epoch."""

from __future__ import annotations

import contextlib
import math
import os
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail
from archspec.runtime.data.decode import BadImageError, read_header, read_image
from archspec.runtime.data.hush import native_messages_dropped
from archspec.runtime.data.images import Report

CACHE_BYTES = 512 * 2**20
"""Decoded images of one size are kept in memory up to this many bytes."""
NAMED = 10  # bad files that are named one by one
CHUNK = 64  # files a task
INTERVAL = 2.0  # seconds between two lines of progress


def scan(
    files: Sequence[str], channels: int, *, skip_bad_images: bool, report: Report
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint8] | None]:
    """Decode every file. Returns which are good (N,), and the good ones' pixels when they are few and of one size.

    Pixels: uint8 (good, H, W, channels), or None when sizes differ or the pixels exceed CACHE_BYTES.
    Raises bad-images, naming the first ten, unless skip_bad_images leaves them out with a line of report.
    """
    from archspec.runtime.quiet import import_tensorflow

    tf = import_tensorflow()
    reasons: dict[int, BadImageError] = {}
    started = time.monotonic()
    with quietly(), ThreadPoolExecutor(os.cpu_count()) as pool:
        sizes = list(in_order(pool, lambda i: read_header(files[i]), len(files)))
        cache = _cache(len(files), {size for size in sizes if not isinstance(size, BadImageError)}, channels)

        def decode_one(i: int) -> None:
            if isinstance(sizes[i], BadImageError):
                raise sizes[i]
            pixels = read_image(tf, files[i], channels)
            if pixels.shape[:2] != sizes[i]:
                raise BadImageError("an image whose size is not what its header says")
            if cache is not None:
                cache[i] = pixels

        # closing: an interrupt cancels what is queued
        with contextlib.closing(in_order(pool, decode_one, len(files))) as outcomes:
            for i, outcome in enumerate(outcomes):
                if isinstance(outcome, BadImageError):
                    reasons[i] = outcome
                if time.monotonic() - started > INTERVAL:
                    started = time.monotonic()
                    report(f"{i + 1:,} of {len(files):,} images read")
    if reasons:
        _bad(files, reasons, skip_bad_images, report)
    good = np.ones(len(files), bool)
    good[list(reasons)] = False
    return good, cache if cache is None or not reasons else cache[good]


def _cache(count: int, sizes: set[tuple[int, int]], channels: int) -> npt.NDArray[np.uint8] | None:
    """Room for all images, when they have one size and fit."""
    if len(sizes) != 1:
        return None
    shape = (count, *sizes.pop(), channels)
    return np.empty(shape, np.uint8) if math.prod(shape) <= CACHE_BYTES else None


def in_order(pool: ThreadPoolExecutor, check: Callable[[int], Any], count: int) -> Generator[Any, None, None]:
    """check(0), check(1), ... in order, with the BadImageError of what raised one."""

    def chunk(start: int) -> list[Any]:
        outcomes: list[Any] = []
        for i in range(start, min(start + CHUNK, count)):
            try:
                outcomes.append(check(i))
            except BadImageError as bad:
                outcomes.append(bad)
        return outcomes

    for outcomes in pool.map(chunk, range(0, count, CHUNK)):
        yield from outcomes


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Pillow's warnings of large images and damaged metadata are hidden too: size and decoding judge what matters."""
    with native_messages_dropped(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def unreadable(files: Sequence[str]) -> list[tuple[str, BadImageError]]:
    """Which of a few files cannot be read as images, and why."""
    from archspec.runtime.quiet import import_tensorflow

    tf, found = import_tensorflow(), []
    with quietly():
        for file in files:
            try:
                read_image(tf, file, channels=3)
            except BadImageError as bad:
                found.append((file, bad))
    return found[:NAMED]


def _bad(files: Sequence[str], reasons: dict[int, BadImageError], skip: bool, report: Report) -> None:
    fact = f"{len(reasons):,} of {len(files):,} files cannot be read as images"
    notes = [f"{printable(files[i])}: {reason}" for i, reason in list(reasons.items())[:NAMED]]
    if len(reasons) > NAMED:
        notes.append(f"and {len(reasons) - NAMED:,} more")
    if not skip:
        raise fail("bad-images", fact, notes=notes, help="--skip-bad-images leaves them out")
    report(f"{fact} and are left out")
    for note in notes:
        report(f"  {note}")


def printable(path: str) -> str:
    """A path whose bytes are no UTF-8 with escapes in their place, so that it can be printed."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
