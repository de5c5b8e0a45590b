"""What the processes of a run on several hosts find out together, by sums over all of them."""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail
from archspec.runtime.distributed.cluster import Hosts
from archspec.runtime.distributed.heartbeat import Others
from archspec.runtime.system.tensorflow_import import import_tensorflow

PIECE = 1 << 22  # numbers that are added at a time
ROUNDING = 1e-4  # relative: what rounding leaves is a hundred times less, and other weights differ by more
LONGEST = 4096  # bytes of a text of the chief's: no path is longer


class Agreement:
    """What the processes of a run find out together; with one process each answer is its own."""

    def __init__(self, strategy: Any, hosts: Hosts | None) -> None:
        self.hosts = hosts
        self.others: Others | None = None
        self._strategy = strategy
        self._sum: Any = None

    def total(self, number: float) -> float:
        """The sum over the processes, float32; all of them must call it at the same point."""
        return number if self.hosts is None else float(self._added(np.float32(number)))

    def sum(self, array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The sum over the processes of arrays (rows, ...) of one shape, some millions of numbers at a time."""
        if self.hosts is None or not len(array):
            return array
        rows = max(1, PIECE * len(array) // max(array.size, 1))
        parts = [np.asarray(self._added(array[at : at + rows])) for at in range(0, len(array), rows)]
        return np.concatenate(parts)

    def _added(self, value: Any) -> Any:
        tf, strategy = import_tensorflow(), self._strategy
        if self.others is not None:
            self.others.arrive()
        local = strategy.num_replicas_in_sync // len(self.hosts.workers)  # type: ignore[union-attr]
        if self._sum is None:

            @tf.function(autograph=False)  # type: ignore[untyped-decorator]
            def add(value: Any) -> Any:
                return strategy.reduce("SUM", strategy.run(lambda: value / local), axis=None)

            self._sum = add
        return self._sum(tf.constant(value, tf.float32)).numpy()

    def any(self, flag: bool) -> bool:
        """Whether it is true on one of them at least."""
        return flag if self.hosts is None else self.total(float(flag)) > 0

    def of_chief(self, text: str) -> str:
        """The chief's text, of some thousand letters at most, on all of them."""
        if self.hosts is None:
            return text
        letters = np.zeros(LONGEST, np.float32)
        if self.hosts.is_chief:
            own = text.encode()
            letters[: len(own)] = list(own)
        return bytes(self.sum(letters).astype(np.uint8)).rstrip(b"\0").decode()

    def which(self, flag: bool) -> list[int]:
        """On which of several workers it is true."""
        flags = np.zeros(len(self.hosts.workers) if self.hosts else 1, np.float32)
        flags[self.hosts.worker if self.hosts else 0] = flag
        return np.flatnonzero(self.sum(flags)).tolist()

    def check(self) -> None:
        """Raises what TensorFlow raises, for `losses_of_workers`, when another process has stopped."""
        if self.others is not None:
            self.others.check()

    def part(self, *, done: bool = False) -> None:
        """Return once no process needs another one any more; after it, each may end. All must call it at one point.

        A sum alone is not enough: who has it may end while another still waits for its part of it. When this returns,
        by the second sum or because another process has ended, all have the first one. Who is gone before that is of
        no matter here any more.

        done: the chief's work is done when it comes here, and if it does not come the others fail.
        """
        if self.hosts is None:
            return
        lost = import_tensorflow().errors.OpError
        try:
            self.any(False)
        except lost:
            if done and not self.hosts.is_chief:
                raise
            return
        with contextlib.suppress(lost):
            self.any(False)

    def same(self, what: str, value: object) -> None:
        """Check that a value, of which its text is taken, is the same on all of them.

        Raises:
            ArchspecError: `hosts-differ`, on all of them.
        """
        if self.hosts is None:
            return
        digest = hashlib.sha256(repr(value).encode()).digest()
        mine = int.from_bytes(digest[:2], "little")  # exact in float32, and so is the sum of some hundred
        differs = self.total(mine) != mine * len(self.hosts.workers)
        self._stop_where(differs, what)

    def close(self, what: str, numbers: npt.NDArray[np.float32]) -> None:
        """Check that numbers (n,) are the same on all of them, but for rounding: other processors draw other last bits.

        Raises:
            ArchspecError: `hosts-differ`, on all of them.
        """
        if self.hosts is None:
            return
        mean = self.sum(numbers) / len(self.hosts.workers)
        self._stop_where(not np.allclose(numbers, mean, rtol=ROUNDING, atol=0, equal_nan=True), what)

    def _stop_where(self, differs: bool, what: str) -> None:
        if self.any(differs):
            self.part()
            help = "start all of them by the same command on the same data; with `--resume`, from one shared folder"
            raise fail("hosts-differ", f"the workers do not have the same {what}", help=help)
