"""The one thread that calls the models. It joins the requests that wait into batches."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import counted
from archspec.runtime.serve.limits import Limits
from archspec.runtime.serve.models.loaded_version import LoadedVersion
from archspec.runtime.serve.models.tensor_spec import Outputs
from archspec.runtime.serve.request_error import INTERNAL, UNAVAILABLE, RequestError, busy


@dataclass(eq=False)
class Job:
    """The values of one request.

    Attributes:
        values: (B, ...).
        deadline: of `time.monotonic`; a job that is late is not computed.
        answer: receives the outputs, or an exception.
    """

    version: LoadedVersion
    signature: str
    values: npt.NDArray[Any]
    deadline: float
    answer: asyncio.Future[Outputs]

    @property
    def key(self) -> object:
        """Jobs with the same key can share a batch."""
        return id(self.version), self.signature, self.values.shape[1:]


class Batcher:
    """Computes jobs on a thread of its own, in the order in which they arrive, several at a time.

    A batch does not wait: an idle thread starts with the jobs of one turn of the event loop, and those that arrive
    while it computes are the next batch.

    Args:
        observe: called with the number of rows and the seconds of each batch.
    """

    def __init__(self, limits: Limits, observe: Callable[[int, float], None] = lambda rows, seconds: None) -> None:
        self._limits, self._observe = limits, observe
        self._lock = threading.Lock()  # of the four attributes below
        self._jobs: deque[Job] = deque()
        self._idle = False
        self._scheduled = False
        self._stopped = False
        self._batches: SimpleQueue[list[Job]] = SimpleQueue()  # for an idle thread; an empty one ends it
        self._rows = 0  # reserved, by requests that are prepared, wait or are computed
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="archspec-model", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end after the jobs that wait."""
        with self._lock:
            self._stopped = True
        self._wake()
        self._thread.join()

    @property
    def rows(self) -> int:
        """Instances that are prepared, wait or are computed."""
        return self._rows

    @property
    def seconds_busy(self) -> float:
        """How long the current batch has been computed; 0 without one."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    @contextlib.contextmanager
    def reserved(self, rows: int) -> Iterator[None]:
        """Keep room for a request of so many rows. Raises RequestError (429) where the queue is full."""
        if self._rows and self._rows + rows > self._limits.queue:
            raise busy(
                f"the queue has no room for {counted(rows, 'instance')}: {self._rows:,} of at most "
                f"{self._limits.queue:,} wait or are computed; try again later"
            )
        self._rows += rows
        try:
            yield
        finally:
            self._rows -= rows

    def submit(self, job: Job) -> None:
        """Let a job be computed. Called by the thread of the event loop."""
        with self._lock:
            if self._stopped:
                raise busy("the server is stopping", UNAVAILABLE)
            self._jobs.append(job)
            if not self._idle or self._scheduled:
                return
            self._scheduled = True
        job.answer.get_loop().call_soon(self._wake)

    def _wake(self) -> None:
        """Give an idle thread the jobs that wait."""
        with self._lock:
            self._scheduled = False
            if not self._idle or not (self._jobs or self._stopped):
                return
            self._idle = False
            batch = self._take()
        self._batches.put(batch)

    # ---- on the model's thread ----

    def _run(self) -> None:
        while batch := self._next_batch():
            self._busy_since = time.monotonic()
            results = self._compute(batch)
            self._observe(sum(len(each.values) for each in batch), time.monotonic() - self._busy_since)
            self._busy_since = None
            batch[0].answer.get_loop().call_soon_threadsafe(_deliver, results)
            del batch, results  # not kept while waiting

    def _next_batch(self) -> list[Job]:
        """The jobs of the next batch; none at the end."""
        with self._lock:
            self._idle = not self._jobs and not self._stopped
            if not self._idle:
                return self._take()
        return self._batches.get()

    def _take(self) -> list[Job]:
        """The jobs that wait and fit into one batch with the first one; none if none waits."""
        batch: list[Job] = []
        if self._jobs:
            batch.append(self._jobs.popleft())
            self._join(batch)
        return batch

    def _join(self, batch: list[Job]) -> None:
        """Move the jobs that fit into the batch."""
        key, rows = batch[0].key, len(batch[0].values)
        for job in [each for each in self._jobs if each.key == key]:
            if rows + len(job.values) > self._limits.batch:
                break
            self._jobs.remove(job)
            batch.append(job)
            rows += len(job.values)

    def _compute(self, batch: list[Job]) -> list[tuple[Job, Outputs | RequestError]]:
        now = time.monotonic()
        batch = [job for job in batch if job.deadline > now and not job.answer.done()]  # its client gave up
        if not batch:
            return []
        try:
            values = batch[0].values if len(batch) == 1 else np.concatenate([job.values for job in batch])
            outputs = self._call(batch[0], values)
        except Exception as error:
            if len(batch) > 1:  # a request must not fail because of another one
                return [result for job in batch for result in self._compute([job])]
            return [(batch[0], _failure(error))]
        if len(batch) == 1:
            return [(batch[0], outputs)]
        ends = np.cumsum([len(job.values) for job in batch])
        return [
            (job, {name: value[end - len(job.values) : end] for name, value in outputs.items()})
            for job, end in zip(batch, ends, strict=True)
        ]

    def _call(self, job: Job, values: npt.NDArray[Any]) -> Outputs:
        """The outputs of all rows, of which at most `limits.batch` are computed at a time."""
        size = self._limits.batch
        parts = [job.version.run(job.signature, values[first : first + size]) for first in range(0, len(values), size)]
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _failure(error: Exception) -> RequestError:
    """What the client is told; the details go to the server's standard error."""
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return busy("the model ran out of memory; send fewer instances", UNAVAILABLE)
    traceback.print_exception(error, file=sys.stderr)
    return RequestError(INTERNAL, "the model failed on this request; the log of the server says why")


def _deliver(results: list[tuple[Job, Outputs | RequestError]]) -> None:
    """Called by the event loop."""
    for job, result in results:
        if not job.answer.done():
            if isinstance(result, RequestError):
                job.answer.set_exception(result)
            else:
                job.answer.set_result(result)
