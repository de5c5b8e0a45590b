"""Checks of many files in parallel, without the messages that libraries print about damaged ones."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from archspec.runtime.data.images import Report
from archspec.runtime.system.tensorflow_import import native_messages_dropped

NAMED = 10  # bad files that a message names
CHUNK = 64  # files of a task
INTERVAL = 2.0  # seconds between two lines of progress

T = TypeVar("T")
R = TypeVar("R")


@contextlib.contextmanager
def in_parallel(check: Callable[[T], R], items: Sequence[T], report: Report | None = None) -> Iterator[Iterator[R]]:
    """An iterator over check(item), in order, with lines of progress; leaving the context cancels the rest."""

    def chunk(start: int) -> list[R]:
        return [check(item) for item in items[start : start + CHUNK]]

    with quietly(), ThreadPoolExecutor(os.cpu_count()) as pool:
        chunks: Any = pool.map(chunk, range(0, len(items), CHUNK))
        with contextlib.closing(chunks):
            yield _with_progress(chunks, len(items), report)


def _with_progress(chunks: Iterator[list[R]], count: int, report: Report | None) -> Iterator[R]:
    done, told = 0, time.monotonic()
    for each in chunks:
        yield from each
        done += len(each)
        if report and time.monotonic() - told > INTERVAL:
            told = time.monotonic()
            report(f"{done:,} of {count:,} images read")


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Suppress messages of native libraries, and Pillow's warnings about large images and damaged metadata."""
    with native_messages_dropped(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
