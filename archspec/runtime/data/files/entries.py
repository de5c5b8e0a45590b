"""What is known of every image file: each decoded once, and that kept for as long as the file is unchanged."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from archspec.runtime.data.files.decode import decode_bytes
from archspec.runtime.data.files.entries_file import read_entries, write_entries
from archspec.runtime.data.files.entry import Entry, Item, Stamp, bad_entry, digest_of, read_item, stamp_of
from archspec.runtime.data.files.header import BadImageError, header_of, transparent
from archspec.runtime.data.files.moments import moments
from archspec.runtime.data.files.scan import INTERVAL, in_order, quietly
from archspec.runtime.data.images import DIGEST, Report

KEEPING = 120.0  # seconds after which what is known so far is kept: a million images take longer than a user waits


def entries_of(
    items: Sequence[Item], place: Path | None, report: Report, *, forget: bool = False
) -> tuple[list[Entry], int]:
    """The entries of the images, and how many were decoded now, because they were new or their contents had changed.

    A file that was touched or changed is read again, and decoded when its contents are others.

    place: the file that keeps entries, of `place_of`; None keeps nothing.
    forget: whether other images than these leave that file.
    """
    known = read_entries(place) if place else {}
    stamps = {file: stamp_of(file) for file in {item.file for item in items}}
    here = {item: known[item] for item in items if item in known and known[item].stamp == stamps[item.file]}
    new = [item for item in items if item not in here]
    decoded = 0
    if new:
        found: dict[Item, Entry] = {}

        def keep(*, whole: bool = False) -> None:
            entries = {**({} if forget and whole else known), **here, **found}
            if place and entries:
                write_entries(place, entries)

        try:
            _decode(new, [stamps[item.file] for item in new], known, report, found, keep)
        except BaseException:  # Ctrl-C above all: what is decoded is not decoded again
            keep()
            raise
        keep(whole=True)
        decoded = sum(item not in known or entry.digest != known[item].digest for item, entry in found.items())
        here |= found
    return [here[item] for item in items], decoded


def _decode(
    items: Sequence[Item],
    stamps: Sequence[Stamp],
    known: Mapping[Item, Entry],
    report: Report,
    entries: dict[Item, Entry],
    keep: Callable[[], None],
) -> None:
    """Fill in the entries of the images, in parallel, with a line of progress, and what there is kept, now and then."""
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf = import_tensorflow()

    def one(i: int) -> Entry:
        stamp, before, digest = stamps[i], known.get(items[i]), bytes(DIGEST)
        try:
            contents = read_item(items[i])
            digest = digest_of(contents)
            if before is not None and before.digest == digest:
                return before._replace(stamp=stamp)
            about, pixels = header_of(contents), decode_bytes(tf, contents, 3)
            if pixels.shape[:2] != about[:2]:
                raise BadImageError("an image whose size is not what its header says")
        except BadImageError as bad:
            return bad_entry(stamp, digest, str(bad))
        height, width, format, turn, mode = about
        clear = about.alpha and transparent(contents)
        return Entry(stamp, digest, "", format, height, width, turn, mode, clear, moments(pixels))

    told = kept = time.monotonic()
    # closing: an interrupt cancels what is queued
    with (
        quietly(),
        ThreadPoolExecutor(os.cpu_count()) as pool,
        contextlib.closing(in_order(pool, one, len(items))) as run,
    ):
        for item, entry in zip(items, run, strict=True):
            entries[item] = entry
            if time.monotonic() - told > INTERVAL:
                told = time.monotonic()
                report(f"{len(entries):,} of {len(items):,} images read")
            if time.monotonic() - kept > KEEPING:
                keep()
                kept = time.monotonic()
