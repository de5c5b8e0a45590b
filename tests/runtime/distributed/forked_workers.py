"""Workers that are forked on this machine, and signals that they send to themselves."""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archspec.diagnostics import ArchspecError
from archspec.runtime.distributed.cluster import Cluster
from archspec.runtime.training.records.progress import TrainingProgress


class Signalled(TrainingProgress):
    """Sends a signal to its own process in the second epoch, and keeps the notes."""

    def __init__(self, number: int | None = None) -> None:
        super().__init__(quiet=True)
        self.number, self.lines = number, []

    def note(self, text: str) -> None:
        self.lines.append(text)

    def steps(self, epoch: int, *figures: Any) -> None:
        if epoch == 2 and self.number:
            number, self.number = self.number, None
            os.kill(os.getpid(), number)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


STARTING = threading.Lock()
"""Held while ports are chosen and workers forked: a child would inherit the sockets that another thread has open, and
their ports would stay taken."""

Work = Callable[[Cluster | None, list[str]], int]
"""The work of a worker: it appends what it prints to the list, and returns its exit status."""


def run_workers(folder: Path, workers: int, work: Work, frozen: int | None = None) -> list[Any]:
    """The exit status, the seconds and the printed lines of each worker; of one that fails, the parts of its error.

    frozen: a worker that stops itself by SIGSTOP; it is killed when the others have ended.
    """
    reports, started = Path(tempfile.mkdtemp(dir=folder)), time.monotonic()
    children: dict[int, int] = {}
    STARTING.acquire()
    addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(workers))
    for worker in range(workers):
        child = os.fork()
        if child:
            children[worker] = child
            continue
        status, lines = 70, []
        try:
            status = work(Cluster(addresses, worker) if workers > 1 else None, lines)
        except ArchspecError as error:
            (each,) = error.diagnostics
            status, lines = 1, [each.code, each.message, each.help or "", *each.notes]
        except BaseException as error:
            lines = [repr(error)]
        finally:
            (reports / str(worker)).write_text(json.dumps(lines))
            os._exit(status)
    STARTING.release()
    outcome: list[Any] = [None] * workers
    while children:
        if list(children) == [frozen]:
            os.kill(children[frozen], signal.SIGKILL)
        for worker, child in list(children.items()):
            ended, code = os.waitpid(child, os.WNOHANG)
            if ended:
                del children[worker]
                seconds, report = round(time.monotonic() - started, 1), reports / str(worker)
                printed = json.loads(report.read_text()) if report.exists() else []
                outcome[worker] = [os.waitstatus_to_exitcode(code), seconds, printed]
        time.sleep(0.05)
    return outcome
