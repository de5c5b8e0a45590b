"""Two processes on this machine that train and evaluate one network, forked from one that has imported TensorFlow.

`python -m tests.runtime.distributed.processes FOLDER` prints what came of it as JSON: each phase is a run of
one or two processes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.distributed.cluster import Cluster
from archspec.runtime.training.records.progress import TrainingProgress

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


Work = Callable[[Cluster | None, list[str]], int]
"""What a process does: its words go into the list, and its exit status comes back."""


def processes(folder: Path, workers: int, work: Work, frozen: int | None = None) -> list[Any]:
    """Of each of so many processes that do it together: its exit status, seconds and words.

    frozen: the one that will stand still; it is killed when the others have ended.
    """
    addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(workers))
    children, reports, started = [], [], time.monotonic()
    for worker in range(workers):
        report = folder / f"report-{worker}"
        reports.append(report)
        child = os.fork()
        if child:
            children.append(child)
            continue
        status, said = 70, []
        try:
            status = work(Cluster(addresses, worker) if workers > 1 else None, said)
        except ArchspecError as error:
            (each,) = error.diagnostics
            status, said = 1, [each.code, each.message, each.help or "", *each.notes]
        except BaseException as error:
            said = [repr(error)]
        finally:
            report.write_text(json.dumps(said))
            os._exit(status)
    outcome: list[Any] = [None] * workers
    for ended in range(workers):
        if frozen is not None and ended == workers - 1:
            os.kill(children[frozen], signal.SIGKILL)
        child, code = os.wait()
        number = children.index(child)
        outcome[number] = [os.waitstatus_to_exitcode(code), round(time.monotonic() - started, 1)]
    for number, report in enumerate(reports):
        outcome[number].append(json.loads(report.read_text()) if report.exists() else [])
        report.unlink(missing_ok=True)
    return outcome


def phase(
    folder: Path, page: Path, out: Path, workers: int, signals: dict[int, int] | None = None, apart: bool = False
) -> list[Any]:
    """Train into `out`, or go on with what is there.

    apart: each worker but the first has a folder of its own in place of that one.
    """
    go_on = out.exists()

    def work(cluster: Cluster | None, said: list[str]) -> int:
        from archspec.runtime.training.train import resume, train

        progress = Disturbed((signals or {}).get(cluster.index if cluster else 0))
        progress.lines = said
        given: dict[str, Any] = {"cluster": cluster, "progress": progress}
        if go_on:
            ended = resume(out, archspec.load, **given)
        else:
            own = out.with_name(f"{out.name}-{cluster.index}") if apart and cluster and cluster.index else out
            ended = train(archspec.load(str(page)), "digits", out=own, checkpoint_every="3steps", **given)
        return 128 + ended.signal if ended.signal else 0

    stopped = [worker for worker, number in (signals or {}).items() if number == signal.SIGSTOP]
    return processes(folder, workers, work, stopped[0] if stopped else None)


def apart(folder: Path, page: Path, other: Path) -> list[Any]:
    """Two processes are given different networks."""

    def work(cluster: Cluster | None, said: list[str]) -> int:
        from archspec.runtime.training.train import train

        given = other if cluster and cluster.index else page
        train(archspec.load(str(given)), "digits", out=folder / "differ", cluster=cluster, progress=Disturbed())
        return 0

    return processes(folder, 2, work)


def unfinite_on_one(folder: Path, page: Path) -> list[Any]:
    """The second worker, as if its memory had failed it, sees a number that is not finite; the other one does not."""

    def work(cluster: Cluster | None, said: list[str]) -> int:
        from archspec.runtime.training import loop
        from archspec.runtime.training.train import train

        found, looks = loop.non_finite, []

        def unfinite(arrays: Any) -> list[str]:
            looks.append(1)
            return ["kernel"] if cluster and cluster.index and len(looks) == 4 else found(arrays)

        loop.non_finite = unfinite
        out = folder / "unfinite"
        given: dict[str, Any] = {"cluster": cluster, "progress": Disturbed(), "checkpoint_every": "3steps"}
        train(archspec.load(str(page)), "digits", out=out, **given)
        return 0

    return processes(folder, 2, work)


def scored(
    folder: Path, model: Path, out: Path, workers: int, killed: int | None = None, batch_size: int = 64
) -> list[Any]:
    """Evaluate by two protocols and their ensemble; the posteriors of all three are then in files of `out`.

    killed: a worker that dies after its first batch; the other one then takes two seconds for each.
    """

    def work(cluster: Cluster | None, said: list[str]) -> int:
        from archspec import evaluate_all
        from archspec.runtime.evaluation.inference.journal import Journal
        from archspec.runtime.evaluation.predictions import save_all

        add = Journal.add

        def add_and_die(self: Journal, *given: Any) -> None:
            add(self, *given)
            if cluster and cluster.index == killed:
                os.kill(os.getpid(), signal.SIGKILL)
            elif killed is not None:
                time.sleep(2)

        Journal.add = add_and_die  # type: ignore[method-assign]
        protocols = ["center", "ten-crop: 10"]
        given: dict[str, Any] = {"protocols": protocols, "ensemble": True, "batch_size": batch_size, "cluster": cluster}
        found = evaluate_all([model], "digits", report=said.append, **given)
        worker = cluster.index if cluster else 0
        save_all(out.with_name(f"{out.name}-{worker}.npz"), [each.predictions for each in found])
        return 0

    return processes(folder, workers, work)


def parted(folder: Path) -> list[Any]:
    """Two processes part, the chief as soon as it can, on a busy core and its other threads last in line.

    TensorFlow 2.21 sends from such a thread: who ends right after a sum may end before its part of it is sent.
    """
    core = {min(os.sched_getaffinity(0))}

    def work(cluster: Cluster | None, said: list[str]) -> int:
        from archspec.runtime.distributed.collectives import Collectives
        from archspec.runtime.distributed.strategy import make_strategy

        assert cluster is not None
        if cluster.is_chief:
            os.sched_setaffinity(0, core)
        collectives = Collectives(make_strategy(None, cluster), cluster)
        said.extend(
            [collectives.broadcast(f"of worker {cluster.index}"), str(collectives.workers_where(cluster.index == 1))]
        )
        if cluster.is_chief:
            for thread in map(int, os.listdir("/proc/self/task")):
                if thread != threading.get_native_id():
                    os.setpriority(os.PRIO_PROCESS, thread, 19)
        collectives.barrier()
        if cluster.is_chief:
            os._exit(0)
        return 0

    busy = [multiprocessing.Process(target=_keep_busy, args=(core,)) for _ in range(3)]
    for each in busy:
        each.start()
    try:
        return processes(folder, 2, work)
    finally:
        for each in busy:
            each.kill()
            each.join()


def _keep_busy(core: set[int]) -> None:
    os.sched_setaffinity(0, core)
    while True:
        pass


def posteriors(out: Path, worker: int) -> list[Any]:
    from archspec.runtime.evaluation.predictions import load_predictions

    return [load_predictions(out.with_name(f"{out.name}-{worker}-{row}.npz")).posteriors for row in (1, 2, 3)]


def main(folder: Path) -> dict[str, Any]:
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401

    from archspec.runtime.system.tensorflow_import import import_tensorflow
    from tests.runtime.small_specs import BLOWN
    from tests.runtime.training.same_bits import differences, result

    import_tensorflow()
    import numpy as np

    page = folder / "small.yaml"
    page.write_text(PAGE)
    blown = folder / "blown.yaml"
    blown.write_text(BLOWN)
    single, two, lost = folder / "single", folder / "two", folder / "lost"
    outcome: dict[str, Any] = {
        "single": phase(folder, page, single, 1),
        "two": phase(folder, page, two, 2),
        "killed": phase(folder, page, lost, 2, {1: signal.SIGKILL}),
        "asked to end": phase(folder, page, lost, 2, {1: signal.SIGTERM}),
        "resumed": phase(folder, page, lost, 2),
        "parted": [parted(folder) for _ in range(3)],
        "apart": apart(folder, page, blown),
        "unfinite": unfinite_on_one(folder, page),
        "diverged": phase(folder, blown, folder / "diverged", 2),
        "diverged apart": phase(folder, blown, folder / "apart", 2, apart=True),
        "frozen chief": phase(folder, page, folder / "frozen", 2, {0: signal.SIGSTOP}),
        "killed of three": phase(folder, page, folder / "three", 3, {1: signal.SIGKILL}),
    }
    one, both = result(single), result(two)
    start = {name: array for name, array in one["weights"].items() if name.startswith("variable")}
    outcome["distance"] = max(
        float(np.abs(array.astype(float) - both["weights"][name].astype(float)).max()) for name, array in start.items()
    )
    rows = [np.genfromtxt(run / "history.csv", delimiter=",", names=True) for run in (single, two)]
    outcome["history"] = max(float(np.abs(rows[0][name] - rows[1][name]).max()) for name in rows[0].dtype.names)
    os.environ["XDG_CACHE_HOME"] = str(folder)
    lone, both_scored, killed = folder / "lone", folder / "scored", folder / "scored-again"
    outcome["evaluated"] = scored(folder, two, lone, 1)
    outcome["evaluated by two"] = scored(folder, two, both_scored, 2)
    outcome["evaluator killed"] = scored(folder, two, killed, 2, killed=1, batch_size=16)
    outcome["kept"] = len(list(folder.glob("archspec/evaluations/*.rows")))
    outcome["evaluated again"] = scored(folder, two, killed, 2)
    outcome["left"] = len(list(folder.glob("archspec/evaluations/*.rows")))
    outcome["posteriors"] = max(
        float(np.abs(mine - its).max())
        for out, worker in ((both_scored, 0), (both_scored, 1), (killed, 0))
        for mine, its in zip(posteriors(out, worker), posteriors(lone, 0), strict=True)
    )
    outcome["differences"] = [name for name in differences(both, result(lost)) if name != "checkpoints"]
    return outcome


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
