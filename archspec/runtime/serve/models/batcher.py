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
from typing import Any

import numpy as np
import numpy.typing as npt

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

    A batch does not wait while no other request is under way. Otherwise it waits for as many as were under way
    recently, at most `limits.wait`.

    Args:
        observe: called with the number of rows and the seconds of each batch.
    """

    def __init__(self, limits: Limits, observe: Callable[[int, float], None] = lambda rows, seconds: None) -> None:
        self._limits, self._observe = limits, observe
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._rows = 0  # reserved, by requests that are prepared, wait or are computed
        self._requests = self._peak = 0
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="archspec-model", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end after the jobs that wait."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
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
                f"the queue is full: {self._rows:,} instances wait, of at most {self._limits.queue:,}; try again later"
            )
        self._rows += rows
        self._requests += 1
        self._peak = max(self._peak, self._requests)
        try:
            yield
        finally:
            self._rows -= rows
            self._requests -= 1

    def submit(self, job: Job) -> None:
        """Let a job be computed. Called by the thread of the event loop."""
        with self._changed:
            if self._stopped:
                raise busy("the server is stopping", UNAVAILABLE)
            self._jobs.append(job)
            self._changed.notify()

    # ---- on the model's thread ----

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            self._busy_since = time.monotonic()
            results = self._compute(batch)
            self._observe(sum(len(each.values) for each in batch), time.monotonic() - self._busy_since)
            self._busy_since = None
            batch[0].answer.get_loop().call_soon_threadsafe(_deliver, results)
            del batch, results  # not kept while waiting

    def _next_batch(self) -> list[Job] | None:
        """The jobs of the next batch; None at the end."""
        with self._changed:
            while not self._jobs:
                if self._stopped:
                    return None
                self._changed.wait()
            expected, self._peak = max(self._peak, self._requests), self._requests
            batch = [self._jobs.popleft()]
            rows, end = len(batch[0].values), time.monotonic() + self._limits.wait
            while True:
                rows = self._join(batch, rows)
                left = end - time.monotonic()
                if rows >= self._limits.batch or len(batch) >= expected or self._jobs or left <= 0 or self._stopped:
                    return batch
                self._changed.wait(left)

    def _join(self, batch: list[Job], rows: int) -> int:
        """Move the jobs that fit into the batch; the number of its rows."""
        key = batch[0].key
        for job in [each for each in self._jobs if each.key == key]:
            if rows + len(job.values) > self._limits.batch:
                break
            self._jobs.remove(job)
            batch.append(job)
            rows += len(job.values)
        return rows

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
