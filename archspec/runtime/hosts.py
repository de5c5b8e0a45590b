"""Several hosts that train one network together: who they are, and what they must agree on.

One process a host, each started by the same command but for its number; the first one, the chief, alone writes files.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail, listed, render
from archspec.runtime.quiet import import_tensorflow

HELP = "`--workers host0:port,host1:port,...` is the same on every host, and `--worker I` counts them from 0"

INTERVAL = 15.0  # seconds between two lines about who is missing
PATIENCE = 600.0  # seconds until a process gives up waiting for the others
PIECE = 1 << 22  # numbers that are added at a time


@dataclass(frozen=True)
class Hosts:
    """The processes that train together, the chief first, and which of them this one is."""

    workers: tuple[str, ...]
    """HOST:PORT, as the others reach them."""
    worker: int

    @property
    def is_chief(self) -> bool:
        return self.worker == 0

    def named(self, worker: int) -> str:
        return f"worker {worker} ({self.workers[worker]})" if worker < len(self.workers) else f"worker {worker}"


def find_hosts(
    worker: int | None,
    workers: str | None,
    environment: Mapping[str, str] = os.environ,
    *,
    alone: str | None = None,
) -> Hosts | None:
    """From the command line, else from TF_CONFIG, as TensorFlow's cluster managers set it; None for one host alone.

    alone: the type of task that works by itself: TensorFlow's `evaluator` is no part of its cluster.

    Raises:
        ArchspecError: `hosts`.
    """
    if (worker is None) != (workers is None):
        missing = "`--workers`" if workers is None else "`--worker`"
        raise fail("hosts", f"several hosts are asked for without {missing}", help=HELP)
    if worker is not None and workers is not None:
        return _checked(tuple(each.strip() for each in workers.split(",")), worker)
    text = environment.get("TF_CONFIG")
    return _from_tf_config(text, alone) if text else None


def _from_tf_config(text: str, alone: str | None) -> Hosts | None:
    help = 'it is like {"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
        cluster: dict[str, list[str]] = config.get("cluster", {})
        if not cluster:
            return None
        chiefs, kind, index = cluster.get("chief", []), config["task"]["type"], int(config["task"]["index"])
        workers = [*chiefs, *cluster.get("worker", [])]
        if alone is not None and kind == alone:
            return None
        if kind not in ("chief", "worker"):
            raise fail(
                "hosts", f"TF_CONFIG makes this process a `{kind}`, and only a chief and workers train", help=help
            )
        return _checked(tuple(workers), index if kind == "chief" else index + len(chiefs))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise fail("hosts", "TF_CONFIG in the environment is not as TensorFlow defines it", help=help) from error


def _checked(workers: tuple[str, ...], worker: int) -> Hosts | None:
    odd = [each for each in workers if not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):\d{1,5}", each)]
    if odd:
        raise fail("hosts", f"`{odd[0]}` is no HOST:PORT", help=HELP)
    if len(set(workers)) < len(workers):
        raise fail("hosts", f"two workers have one address: {listed(workers)}", help=HELP)
    if not 0 <= worker < len(workers):
        raise fail("hosts", f"there is no worker {worker} among {len(workers)}", help=HELP)
    return Hosts(workers, worker) if len(workers) > 1 else None


@contextlib.contextmanager
def waiting(hosts: Hosts, note: Callable[[str], None]) -> Iterator[None]:
    """While TensorFlow waits for all processes, say every while which are missing; after PATIENCE end this process.

    TensorFlow waits in its own code, where no exception reaches it, and catches SIGTERM. Ctrl-C ends the process:
    there is nothing yet to be saved.
    """
    there = threading.Event()

    def look() -> None:
        started = time.monotonic()
        while not there.wait(INTERVAL):
            missing = [hosts.named(i) for i in range(len(hosts.workers)) if not _listens(hosts.workers[i])]
            if time.monotonic() - started > PATIENCE:
                fact = f"the workers did not come together within {PATIENCE / 60:.0f} minutes"
                help = "start all of them, and let each reach the others by the names and ports given"
                error = fail("hosts", fact, notes=[f"missing: {listed(missing)}"] if missing else [], help=help)
                print("\n".join(render(each) for each in error.diagnostics), file=sys.stderr, flush=True)
                os._exit(1)
            if missing:
                note(f"still waiting for {listed(missing)}")

    threading.Thread(target=look, daemon=True).start()
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_DFL) if main else None
    try:
        yield
    finally:
        there.set()
        if main:
            signal.signal(signal.SIGINT, before)
            # TensorFlow has put a handler of its own there
            signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except OSError:
        return False
    return True


class Agreement:
    """What the processes of a run find out together; with one process each answer is its own."""

    def __init__(self, strategy: Any, hosts: Hosts | None) -> None:
        self.hosts = hosts
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

    def part(self) -> None:
        """Return once no process needs another one any more; after it, each may end. All must call it at one point.

        A sum alone is not enough: who has it may end while another still waits for its part of it. When this returns,
        by the second sum or because another process has ended, all have the first one.
        """
        if self.hosts is None:
            return
        self.any(False)
        with contextlib.suppress(import_tensorflow().errors.OpError):
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
        if self.any(differs):
            self.part()
            help = "start all of them by the same command on the same data; with `--resume`, from one shared folder"
            raise fail("hosts-differ", f"the workers do not have the same {what}", help=help)
