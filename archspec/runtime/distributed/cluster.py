"""Several hosts that train one network together: who they are, and what they must agree on.

One process a host, each started by the same command but for its number; the first one, the chief, alone writes files.
"""

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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from archspec.diagnostics import ArchspecError, fail, listed

HELP = "`--workers host0:port,host1:port,...` is the same on every host, and `--worker I` counts them from 0"

GLANCE = 0.1  # seconds between two looks at whether all are there
INTERVAL = 15.0  # seconds between two lines about who is missing
PATIENCE = 600.0  # seconds until a process gives up waiting for the others


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
    """Waits until all processes are there; for the block, in which TensorFlow connects them, Ctrl-C ends this one.

    TensorFlow waits in its own code, where no exception reaches it and no other thread of Python runs, and catches
    SIGTERM: so it is begun only when all are there, and there is nothing yet to be saved.

    Raises:
        ArchspecError: `hosts` when a process has not come after PATIENCE, or the port of this one is taken.
    """
    _meet(hosts, note)
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_DFL) if main else None
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGINT, before)
            # TensorFlow has put a handler of its own there
            signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


def _meet(hosts: Hosts, note: Callable[[str], None]) -> None:
    """Listen at the own port, which TensorFlow takes afterwards, until each of the others has been seen at its own."""
    started = told = time.monotonic()
    missing = {worker for worker in range(len(hosts.workers)) if worker != hosts.worker}
    with _listening(hosts) as server:
        while True:
            with contextlib.suppress(BlockingIOError):
                while True:
                    server.accept()[0].close()
            missing -= {worker for worker in missing if _listens(hosts.workers[worker])}
            if not missing:
                time.sleep(2 * GLANCE)  # for the others to see this one too
                return
            now = time.monotonic()
            who = listed(hosts.named(worker) for worker in sorted(missing))
            if now - started > PATIENCE:
                raise apart(f"missing: {who}")
            if now - told > INTERVAL:
                note(f"still waiting for {who}")
                told = now
            time.sleep(GLANCE)


def _listening(hosts: Hosts) -> socket.socket:
    port = int(hosts.workers[hosts.worker].rpartition(":")[2])
    try:
        server = _server(port)
    except (OSError, OverflowError) as error:
        raise no_port(hosts, getattr(error, "strerror", None) or str(error)) from error
    server.setblocking(False)
    return server


def _server(port: int) -> socket.socket:
    """Listens at all addresses of this host, of either kind where it has both."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):  # IPv6 is there, and switched off
                raise
    return socket.create_server(("", port))


def apart(note: str) -> ArchspecError:
    """The error when the processes did not come together."""
    help = "start all of them, and let each reach the others by the names and ports given"
    return fail(
        "hosts", f"the workers did not come together within {PATIENCE / 60:.0f} minutes", notes=[note], help=help
    )


def no_port(hosts: Hosts, reason: str) -> ArchspecError:
    """The error when this process cannot listen where it is to."""
    fact = f"worker {hosts.worker} cannot listen at {hosts.workers[hosts.worker]}: {reason[:1].lower()}{reason[1:200]}"
    return fail("hosts", fact, help="give it a port that is free, and the name by which the others reach it")


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=2) as other:
            # a port where nobody listens may be drawn as that of this end too: TCP then connects it with itself
            return bool(other.getsockname() != other.getpeername())
    except OSError:
        return False
