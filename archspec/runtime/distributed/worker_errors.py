"""The error for a lost worker. Only this module depends on undocumented behaviour of TensorFlow.

TensorFlow's coordination service, which worker 0 runs, misses the heartbeat of a lost worker within about 10 s, and
aborts the collectives of all others. The errors of these, the words in them that name the worker, and the abort of a
collective with a single member are not documented; this module was written for TensorFlow 2.21. With other words the
error names no worker, and without that abort `check_workers` does nothing: the next all-reduce raises.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator

from archspec.diagnostics import fail, listed
from archspec.runtime.distributed.cluster import Cluster
from archspec.runtime.system.tensorflow_import import import_tensorflow

LINGER = 15.0
"""Seconds that one of three or more workers stays after it lost another: longer than TensorFlow's heartbeat timeout, so
that the remaining workers name the worker that was lost first."""

LOST = re.compile("(Unavailable|Aborted|Cancelled|DeadlineExceeded|Internal|FailedPrecondition)Error")
"""The errors of TensorFlow that a lost worker causes in the others."""

GROUP_KEY = 1_000_000  # of the collectives with a single member; TensorFlow's strategies count theirs from 1


@contextlib.contextmanager
def worker_lost_errors(cluster: Cluster | None, restart: str) -> Iterator[None]:
    """Turn TensorFlow's error for a lost worker into `worker-lost`, which names it.

    `restart` ends the remedy "start all workers again".
    """
    try:
        yield
    except Exception as error:
        if cluster is None or not LOST.fullmatch(type(error).__name__):
            raise
        if len(cluster.workers) > 2:
            time.sleep(LINGER)
        found = lost_workers(str(error))
        others = [worker for worker in found if worker != cluster.index]
        if found and not others:
            fact = f"the other workers marked {cluster.name(cluster.index)}, this one, as dead (missed heartbeats)"
            look = "check the load and the network of this machine"
        else:
            who = listed(map(cluster.name, others)) or "another worker"
            fact = f"{who} {'have' if len(others) > 1 else 'has'} stopped, so this worker stops too"
            look = "see its output for the reason"
        cause = re.search(r"aborted by: (.+?):?$", str(error), re.MULTILINE)
        note = f"TensorFlow says: {(cause[1] if cause else str(error).splitlines()[0])[:200]}"
        raise fail("worker-lost", fact, notes=[note], help=f"{look}; start all workers again{restart}") from error


def lost_workers(text: str) -> list[int]:
    """The workers that an error of TensorFlow names as lost; none where it names none."""
    if "/tensorflow.CoordinationService/" in text:  # worker 0, which runs the service, did not answer
        return [0]
    unhealthy = re.findall(r"^/job:worker/replica:0/task:(\d+)$", text, re.MULTILINE)
    return sorted({int(task) for task in unhealthy or re.findall(r"/task:(\d+)", text)[:1]})


def check_workers(cluster: Cluster) -> None:
    """Raise TensorFlow's error, for `worker_lost_errors`, if a worker is lost. Takes about 1 ms, and waits for none."""
    tf = import_tensorflow()
    with tf.device("CPU:0"):
        group = {"group_size": 1, "group_key": GROUP_KEY + cluster.index, "instance_key": 1, "ordering_token": []}
        tf.raw_ops.CollectiveReduceV2(input=[0.0], merge_op="Add", final_op="Id", **group)
