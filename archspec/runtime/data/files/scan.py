"""Many files, checked in parallel and in order, and without what libraries print about damaged ones."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from archspec.runtime.data.files.header import BadImageError
from archspec.runtime.system.tensorflow_import import native_messages_dropped

NAMED = 10  # bad files that are named one by one
CHUNK = 64  # files a task
INTERVAL = 2.0  # seconds between two lines of progress


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
