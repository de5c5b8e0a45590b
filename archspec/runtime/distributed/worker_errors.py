"""When one of several processes stops or no longer answers, the others end, and say which it was."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator

from archspec.diagnostics import ArchspecError, fail, listed
from archspec.runtime.distributed.cluster import Hosts
from archspec.runtime.system.tensorflow_import import import_tensorflow

LINGER = 15.0
"""Seconds that one of three or more stays after it lost another: longer than TensorFlow waits for a heartbeat, so that
the others do not take it for the first that went."""


@contextlib.contextmanager
def losses_of_workers(hosts: Hosts | None, again: str) -> Iterator[None]:
    """What TensorFlow raises when another process has stopped, as an error that says which.

    again: how all are started again, the end of a sentence.
    """
    if hosts is None:
        yield
        return
    tf = import_tensorflow()
    try:
        yield
    except ArchspecError:
        raise
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.InternalError,
        tf.errors.FailedPreconditionError,
    ) as error:
        if len(hosts.workers) > 2:
            time.sleep(LINGER)
        found = lost(str(error))
        others = [worker for worker in found if worker != hosts.worker]
        note = f"TensorFlow says: {_reason(str(error))}"
        if found and not others:
            fact = f"the others took {hosts.named(hosts.worker)}, this one, for stopped: it did not answer them in time"
            help = f"see what holds up this host or its network; start all of them again{again}"
            raise fail("worker-lost", fact, notes=[note], help=help) from error
        who = listed(map(hosts.named, others)) or "another worker"
        help = f"its own output says why; start all of them again{again}"
        fact = f"{who} {'have' if len(others) > 1 else 'has'} stopped, and so does this one"
        raise fail("worker-lost", fact, notes=[note], help=help) from error


def lost(text: str) -> list[int]:
    """Which workers are gone, as an error of TensorFlow tells it; none where it does not."""
    if "/tensorflow.CoordinationService/" in text:  # which worker 0 runs, and which did not answer
        return [0]
    unhealthy = re.findall(r"^/job:worker/replica:0/task:(\d+)$", text, re.MULTILINE)
    found = unhealthy or re.findall(r"/task:(\d+)", text)[:1]
    return sorted(set(map(int, found)))


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if "ollective ops is aborted" in line] or text.splitlines()
    return lines[0].rpartition("aborted by: ")[2].rstrip(":")[:200]
