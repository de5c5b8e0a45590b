"""The workers of a run: which they are, and how they wait for each other at the start."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from archspec.diagnostics import ArchspecError, counted, fail, listed

HELP = (
    "`--workers host0:port,host1:port,...` is the same for every worker; `--worker` is the number of this one, from 0"
)
ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):\d{1,5}")  # a name, IPv4 or [IPv6], and a port

POLL_INTERVAL = 0.1  # seconds
NOTE_INTERVAL = 15.0  # seconds between two notes of the missing workers
TIMEOUT = 600.0  # seconds until a worker gives up waiting for the others


@dataclass(frozen=True)
class Cluster:
    """The addresses of the workers, HOST:PORT, the chief first, and the index of this one."""

    workers: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        return self.index == 0

    def name(self, worker: int) -> str:
        """`worker 1 (two:2222)`."""
        return f"worker {worker} ({self.workers[worker]})"


def find_cluster(
    worker: int | None, workers: str | None, environment: Mapping[str, str] = os.environ, *, evaluation: bool = False
) -> Cluster | None:
    """From the command line, else from TF_CONFIG, which cluster managers set for TensorFlow; None for a single worker.

    With `evaluation`, TensorFlow's task type `evaluator` evaluates without the cluster. Raises ArchspecError (`hosts`).
    """
    if worker is not None and workers is not None:
        return _checked([each.strip() for each in workers.split(",")], worker)
    if worker is not None or workers is not None:
        given, missing = ("--worker", "--workers") if workers is None else ("--workers", "--worker")
        raise fail("hosts", f"`{given}` is given without `{missing}`", help=HELP)
    text = environment.get("TF_CONFIG")
    return _from_tf_config(text, evaluation=evaluation) if text else None


def _from_tf_config(text: str, *, evaluation: bool) -> Cluster | None:
    help = 'for example, {"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
        cluster: dict[str, list[str]] = config.get("cluster", {})
        kind = config["task"]["type"] if cluster else None
        if not cluster or (evaluation and kind == "evaluator"):
            return None
        if kind in ("chief", "worker"):
            chiefs, index = cluster.get("chief", []), int(config["task"]["index"])
            return _checked([*chiefs, *cluster.get("worker", [])], index if kind == "chief" else index + len(chiefs))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        fact = "TF_CONFIG in the environment does not have the form that TensorFlow defines"
        raise fail("hosts", fact, help=help) from error
    raise fail("hosts", f"TF_CONFIG makes this process a `{kind}`; only a chief and workers take part", help=help)


def _checked(workers: Sequence[str], worker: int) -> Cluster | None:
    problems = [f"`{each}` does not have the form HOST:PORT" for each in workers if not ADDRESS.fullmatch(each)]
    if len(set(workers)) < len(workers):
        problems.append(f"two workers have the same address: {listed(workers)}")
    if not 0 <= worker < len(workers):
        problems.append(f"worker {worker} does not exist: {len(workers)} addresses are given")
    if problems:
        raise fail("hosts", problems[0], help=HELP)
    return Cluster(tuple(workers), worker) if len(workers) > 1 else None


@contextlib.contextmanager
def connecting(cluster: Cluster, note: Callable[[str], None]) -> Iterator[None]:
    """Wait for all workers; during the block, in which TensorFlow connects them, Ctrl-C ends this worker at once.

    TensorFlow waits in native code, which lets no other Python thread run, delivers no exception and catches SIGTERM.
    So it starts only when all workers are there, and nothing needs to be saved yet.
    Raises ArchspecError (`hosts`) when a worker is missing after TIMEOUT, or the port of this one is taken.
    """
    with _listen(cluster):  # at the port that TensorFlow takes afterwards
        _wait_for_all(cluster, note)
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    handlers = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():  # TensorFlow has replaced that of SIGTERM
            signal.signal(number, handler)


def _wait_for_all(cluster: Cluster, note: Callable[[str], None]) -> None:
    """Return when all other workers listen."""
    note(f"{cluster.name(cluster.index)}: waiting for all {counted(len(cluster.workers), 'worker')}")
    started = noted = time.monotonic()
    missing = [worker for worker in range(len(cluster.workers)) if worker != cluster.index]
    while missing := [worker for worker in missing if not _listens(cluster.workers[worker])]:
        now, names = time.monotonic(), listed(map(cluster.name, missing))
        if now - started > TIMEOUT:
            fact = f"not all workers started within {TIMEOUT / 60:.0f} minutes"
            help = "start all of them, and check that each can reach the others by the names and ports given"
            raise fail("hosts", fact, notes=[f"missing: {names}"], help=help)
        if now - noted > NOTE_INTERVAL:
            note(f"still waiting for {names}")
            noted = now
        time.sleep(POLL_INTERVAL)


def _listen(cluster: Cluster) -> socket.socket:
    """A server at all addresses of this machine, IPv4 and IPv6. It accepts nothing: each worker connects only once."""
    port = int(cluster.workers[cluster.index].rpartition(":")[2])
    try:
        if socket.has_dualstack_ipv6():
            try:
                return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):  # else IPv6 is switched off
                    raise
        return socket.create_server(("", port))
    except (OSError, OverflowError) as error:
        raise cannot_listen(cluster, getattr(error, "strerror", None) or str(error)) from error


def cannot_listen(cluster: Cluster, reason: str) -> ArchspecError:
    """The error for a worker that cannot listen at its own address."""
    address, reason = cluster.workers[cluster.index], f"{reason[:1].lower()}{reason[1:200]}"
    help = "give it a free port, and the name by which the other workers reach it"
    return fail("hosts", f"worker {cluster.index} cannot listen at {address}: {reason}", help=help)


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=2) as other:
        # TCP may choose the same port for this end, and then connects it to itself
        return bool(other.getsockname() != other.getpeername())
    return False
