"""All-reduce over the workers of a run, and operations built on it: broadcast, equality checks, shutdown barrier."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail
from archspec.runtime.distributed.cluster import Cluster
from archspec.runtime.system.tensorflow_import import import_tensorflow

MAX_NUMBERS = 1 << 22  # in one all-reduce; a longer array takes several
TOLERANCE = 1e-4  # relative: rounding differs between processors by a hundredth of it, and other weights by more
MAX_TEXT = 4096  # bytes of a broadcast text: no path is longer


class Collectives:
    """Collective operations over all workers; with one worker each returns that worker's own value.

    All workers must call the same methods in the same order.
    """

    def __init__(self, strategy: Any, cluster: Cluster | None) -> None:
        self.cluster = cluster
        self._strategy = strategy
        self._index, self._workers = (cluster.index, len(cluster.workers)) if cluster else (0, 1)

    @functools.cached_property
    def _sum(self) -> Any:
        strategy, local = self._strategy, self._strategy.num_replicas_in_sync // self._workers
        return import_tensorflow().function(
            lambda value: strategy.reduce("SUM", strategy.run(lambda: value / local), axis=None), autograph=False
        )

    def all_reduce(self, array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The sum over the workers of arrays (rows, ...) of one shape."""
        if self._workers == 1 or not array.size:
            return array
        rows = max(1, MAX_NUMBERS * len(array) // array.size)
        return np.concatenate([self._sum(array[at : at + rows]).numpy() for at in range(0, len(array), rows)])

    def workers_where(self, flag: bool) -> list[int]:
        """The workers whose flag is true."""
        return np.flatnonzero(self.all_reduce(flag * np.eye(self._workers, dtype=np.float32)[self._index])).tolist()

    def any(self, flag: bool) -> bool:
        """Whether the flag is true on at least one worker."""
        return bool(self.workers_where(flag))

    def broadcast(self, text: str) -> str:
        """The text of the chief, at most MAX_TEXT bytes, on all workers."""
        own = text.encode() if self._index == 0 else b""
        codes = np.frombuffer(own.ljust(MAX_TEXT, b"\0"), np.uint8).astype(np.float32)
        return bytes(self.all_reduce(codes).astype(np.uint8)).rstrip(b"\0").decode()

    def barrier(self, *, need_chief: bool = False) -> None:
        """Block until every worker can exit safely.

        One all-reduce is not enough: a worker that exits right after it may not have sent its part to all others yet.
        When the second one ends, by its result or by the loss of a worker, every worker has the result of the first.
        With `need_chief`, the other workers raise TensorFlow's error if the chief is lost before it arrives.
        """
        try:
            self.any(False)
            need_chief = False  # it has arrived
            self.any(False)
        except import_tensorflow().errors.OpError:
            if need_chief and self._index > 0:
                raise

    def check_equal(self, what: str, value: object) -> None:
        """Check that a value has the same `repr` on all workers. Raises ArchspecError (`hosts-differ`) on all."""
        digest = hashlib.sha256(repr(value).encode()).digest()
        self.check_close(what, np.frombuffer(digest, np.uint8).astype(np.float32))

    def check_close(self, what: str, numbers: npt.NDArray[np.float32]) -> None:
        """Check that numbers (n,) are the same on all workers up to rounding. Raises ArchspecError (`hosts-differ`)."""
        mean = self.all_reduce(numbers) / self._workers
        if self.any(not np.allclose(numbers, mean, rtol=TOLERANCE, atol=0, equal_nan=True)):
            self.barrier()
            help = "run the same command on the same data on every worker; with `--resume`, on one shared folder"
            raise fail("hosts-differ", f"the workers do not have the same {what}", help=help)
