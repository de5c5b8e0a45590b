"""Two processes on this machine that train one network, forked from one that has imported TensorFlow.

`python -m tests.runtime.together FOLDER` prints what came of it as JSON: each phase is a run of one or two processes.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.hosts import Hosts
from archspec.runtime.progress import TrainingProgress

PAGE = """\
name: small
input: [8, 8, 1]
layers:
  - conv: {filters: 6, kernel_size: 3, strides: 2, padding: same, use_bias: false}
  - bn: {momentum: 0.8}
  - relu
  - flatten
  - dense: 10
  - softmax
preprocess: [scale: 0.00392156862745098]
train:
  epochs: 2
  batch_size: 192
  optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9, global_clipnorm: 1.0, gradient_accumulation_steps: 2}}
  schedule: cosine
  weight_decay: 1e-3
  label_smoothing: 0.1
  class_weight: {"3": 2.0}
  augment: [random_shift: 1]
"""
"""1,347 images: seven whole batches, and a last one of 3, which two replicas share as 1 and 2."""


class Disturbed(TrainingProgress):
    """Sends its own process a signal when the second epoch's losses are looked at."""

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


def phase(folder: Path, page: Path, out: Path, workers: int, signals: dict[int, int] | None = None) -> list[Any]:
    """Train into `out`, or go on with what is there: of each process its exit status, seconds and words."""
    from archspec.runtime.train import resume, train

    addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(workers))
    children, reports, started = [], [], time.monotonic()
    go_on = out.exists()
    for worker in range(workers):
        report = folder / f"report-{worker}"
        reports.append(report)
        child = os.fork()
        if child:
            children.append(child)
            continue
        status, said = 70, []
        try:
            hosts = Hosts(addresses, worker) if workers > 1 else None
            progress = Disturbed((signals or {}).get(worker))
            given: dict[str, Any] = {"hosts": hosts, "progress": progress}
            if go_on:
                ended = resume(out, archspec.load, **given)
            else:
                ended = train(archspec.load(str(page)), "digits", out=out, checkpoint_every="3steps", **given)
            status = 128 + ended.signal if ended.signal else 0
            said = progress.lines
        except ArchspecError as error:
            (each,) = error.diagnostics
            status, said = 1, [each.code, each.message, each.help or ""]
        except BaseException as error:
            said = [repr(error)]
        finally:
            report.write_text(json.dumps(said))
            os._exit(status)
    outcome: list[Any] = [None] * workers
    for _ in range(workers):
        child, code = os.wait()
        number = children.index(child)
        outcome[number] = [os.waitstatus_to_exitcode(code), round(time.monotonic() - started, 1)]
    for number, report in enumerate(reports):
        outcome[number].append(json.loads(report.read_text()) if report.exists() else [])
        report.unlink(missing_ok=True)
    return outcome


def main(folder: Path) -> dict[str, Any]:
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401

    from archspec.runtime.quiet import import_tensorflow
    from tests.runtime.killing import differences, result

    import_tensorflow()
    import numpy as np

    page = folder / "small.yaml"
    page.write_text(PAGE)
    single, two, lost = folder / "single", folder / "two", folder / "lost"
    outcome: dict[str, Any] = {
        "single": phase(folder, page, single, 1),
        "two": phase(folder, page, two, 2),
        "killed": phase(folder, page, lost, 2, {1: signal.SIGKILL}),
        "asked to end": phase(folder, page, lost, 2, {1: signal.SIGTERM}),
        "resumed": phase(folder, page, lost, 2),
    }
    one, both = result(single), result(two)
    start = {name: array for name, array in one["weights"].items() if name.startswith("variable")}
    outcome["distance"] = max(
        float(np.abs(array.astype(float) - both["weights"][name].astype(float)).max()) for name, array in start.items()
    )
    rows = [np.genfromtxt(run / "history.csv", delimiter=",", names=True) for run in (single, two)]
    outcome["history"] = max(float(np.abs(rows[0][name] - rows[1][name]).max()) for name in rows[0].dtype.names)
    outcome["differences"] = [name for name in differences(both, result(lost)) if name != "checkpoints"]
    return outcome


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
