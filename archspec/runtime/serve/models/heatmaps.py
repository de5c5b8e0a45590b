"""The heat maps of a server: one thread, which keeps the network of the version that was explained last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.serve.models.loaded_version import LoadedVersion
from archspec.runtime.serve.request_error import busy

if TYPE_CHECKING:
    from archspec.runtime.serve.models.heatmap import Heatmap

WAITING = 4
"""Explanations take long, and are for people: more than these are refused."""


class Heatmaps:
    """Explains uploaded images."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "archspec-explain")
        self._waiting = 0
        self._last: tuple[LoadedVersion, Heatmap] | None = None

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)

    def explain(self, version: LoadedVersion, pixels: npt.NDArray[np.uint8]) -> Awaitable[dict[str, Any]]:
        """Explain an image (H, W, C). Raises RequestError (429) where too many wait."""
        if self._waiting >= WAITING:
            raise busy("too many images are being explained; try again later")
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._explain, version, pixels)
        future.add_done_callback(self._done)
        return future

    def _done(self, future: object) -> None:
        self._waiting -= 1

    def _explain(self, version: LoadedVersion, pixels: npt.NDArray[np.uint8]) -> dict[str, Any]:
        from archspec.runtime.serve.models.heatmap import Heatmap

        if self._last is None or self._last[0] is not version:
            assert version.model_file is not None
            self._last = version, Heatmap(version.model_file)
        return self._last[1].explain(pixels)
