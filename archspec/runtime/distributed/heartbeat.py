"""What a process of several learns of the others besides their sums: who has stopped, and who is behind.

It asks TensorFlow's coordination service, which worker 0 runs: there each process writes how far it is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from archspec.diagnostics import listed
from archspec.format import duration
from archspec.runtime.distributed.cluster import Hosts
from archspec.runtime.distributed.coordination import Coordination, SilentError
from archspec.runtime.system.tensorflow_import import import_tensorflow

LOOK = 5.0
"""Seconds between two looks at the others."""
SILENT = 2
"""Questions in a row that worker 0 leaves without an answer, and then counts as gone."""
STANDS = 60.0
"""Seconds at one place after which it is said, and who is waited for; then after twice as many, and so on."""
FOLDER = "archspec/place"


class Others:
    """A context in which a thread of its own looks at the other processes of a run, once all of them have met.

    Args:
        note: told where this process stands, when it has stood there for a minute.
        waited: seconds spent on waiting for images so far, if that is known; it changes when they are there.
    """

    def __init__(self, hosts: Hosts, note: Callable[[str], None]) -> None:
        self.waited: Callable[[], float] | None = None
        self._hosts, self._note = hosts, note
        self._place = Place(0, "the start", time.monotonic(), None)
        self._gone: str | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(2.0)

    def arrive(self, what: str | None = None, *, images: bool = False) -> None:
        """This process begins what it does together with all others. All must call it at the same points.

        Args:
            what: where it is, in words; as before where it is None.
            images: whether it waits for images first.
        """
        before = self._place
        waited = self.waited() if images and self.waited else None
        self._place = Place(before.number + 1, what or before.what, time.monotonic(), waited)

    def check(self) -> None:
        """Raises tf.errors.UnavailableError, for `losses_of_workers`, when another process has stopped."""
        if self._gone is not None:
            raise import_tensorflow().errors.UnavailableError(None, None, self._gone)

    # ---- in the thread --------------------------------------------------------------------------------------------

    def _look(self) -> None:
        number, after, silent = -1, STANDS, 0
        with Coordination(self._hosts.workers[0]) as service:
            while not self._ended.wait(LOOK):
                place = self._place
                mark = place.mark(self.waited)
                try:
                    lost = service.lost(len(self._hosts.workers))
                    if lost:
                        self._gone = self._gone or _gone(lost)
                    service.write(FOLDER, str(self._hosts.worker), str(mark))
                    number, after = (number, after) if number == place.number else (place.number, STANDS)
                    if time.monotonic() - place.since >= after:
                        marks = {int(worker): int(text) for worker, text in service.read(FOLDER).items()}
                        self._note(self._standing(place, mark, marks))
                        after *= 2
                    silent = 0
                except SilentError as error:
                    silent += 1
                    if silent == SILENT:
                        self._gone = self._gone or str(error)

    def _standing(self, place: Place, mark: int, others: Mapping[int, int]) -> str:
        since = duration(time.monotonic() - place.since)
        behind = [self._hosts.named(worker) for worker, its in others.items() if its < mark]
        if behind:
            return f"at {place.what} for {since}: waiting for {listed(behind)}"
        if mark == place.before_images:
            return f"at {place.what} for {since}: waiting for images to be read on this host"
        if any(its > mark for its in others.values()):
            return f"at {place.what} for {since}: the others wait for this worker"
        return f"at {place.what} for {since}, and so are the others"


class Place:
    """Where a process is: at the how many-th thing that all do together, since when by time.monotonic()."""

    def __init__(self, number: int, what: str, since: float, waited: float | None) -> None:
        self.number, self.what, self.since, self._waited = number, what, since, waited

    @property
    def before_images(self) -> int:
        return 2 * self.number

    def mark(self, waited: Callable[[], float] | None) -> int:
        """A number that grows as the process goes on: even while it waits for images, else odd."""
        still = self._waited is not None and waited is not None and waited() == self._waited
        return self.before_images + (not still)


def _gone(lost: Sequence[int]) -> str:
    """As TensorFlow's own errors list them."""
    tasks = [f"/job:worker/replica:0/task:{worker}" for worker in lost]
    return "\n".join(["its heartbeat has stayed away", *tasks])
