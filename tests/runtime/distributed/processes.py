"""Workers on this machine that train and evaluate one network, forked from a process that has imported TensorFlow.

`python -m tests.runtime.distributed.processes together|failures FOLDER` prints the outcome of each phase as JSON. A
phase is a run of one, two or three workers.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import archspec
from archspec.runtime.distributed.cluster import Cluster
from tests.runtime.distributed.forked_workers import Signalled, run_workers

SPEC = """\
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
"""1,347 images: seven full batches, and a last one of 3, which two replicas share as 1 and 2."""


def outcome_of(phases: str, folder: Path) -> dict[str, Any]:
    """What a process of its own prints: `together` or `failures`."""
    command = [sys.executable, "-m", __name__, phases, str(folder)]
    root = Path(__file__).parents[3]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def trained(
    folder: Path, spec: Path, out: Path, workers: int, signals: dict[int, int] | None = None, apart: bool = False
) -> list[Any]:
    """Train into `out`, or resume the run that is there.

    Args:
        signals: worker -> the signal that it sends to itself in the second epoch.
        apart: each worker but the first has a folder of its own instead.
    """
    resumed = out.exists()

    def work(cluster: Cluster | None, lines: list[str]) -> int:
        from archspec.runtime.training.train import resume, train

        progress = Signalled((signals or {}).get(cluster.index if cluster else 0))
        progress.lines = lines
        given: dict[str, Any] = {"cluster": cluster, "progress": progress}
        if resumed:
            ended = resume(out, archspec.load, **given)
        else:
            own = out.with_name(f"{out.name}-{cluster.index}") if apart and cluster and cluster.index else out
            ended = train(archspec.load(str(spec)), "digits", out=own, checkpoint_every="3steps", **given)
        return 128 + ended.signal if ended.signal else 0

    stopped = [worker for worker, number in (signals or {}).items() if number == signal.SIGSTOP]
    return run_workers(folder, workers, work, stopped[0] if stopped else None)


def different(folder: Path, spec: Path, other: Path) -> list[Any]:
    """Two workers train different networks."""

    def work(cluster: Cluster | None, lines: list[str]) -> int:
        from archspec.runtime.training.train import train

        given = other if cluster and cluster.index else spec
        train(archspec.load(str(given)), "digits", out=folder / "differ", cluster=cluster, progress=Signalled())
        return 0

    return run_workers(folder, 2, work)


def non_finite_on_one(folder: Path, spec: Path) -> list[Any]:
    """The second worker alone finds a variable that is not finite, as with faulty memory."""

    def work(cluster: Cluster | None, lines: list[str]) -> int:
        from archspec.runtime.training import loop
        from archspec.runtime.training.train import train

        original, calls = loop.non_finite, []

        def non_finite(arrays: Any) -> list[str]:
            calls.append(1)
            return ["kernel"] if cluster and cluster.index and len(calls) == 4 else original(arrays)

        loop.non_finite = non_finite
        out = folder / "non-finite"
        given: dict[str, Any] = {"cluster": cluster, "progress": Signalled(), "checkpoint_every": "3steps"}
        train(archspec.load(str(spec)), "digits", out=out, **given)
        return 0

    return run_workers(folder, 2, work)


def evaluated(
    folder: Path, model: Path, out: Path, workers: int, killed: int | None = None, batch_size: int = 64
) -> list[Any]:
    """Evaluate by two protocols and their ensemble, and save the posteriors of all three beside `out`.

    killed: a worker that dies after its first batch; the other one then takes two seconds for each batch.
    """

    def work(cluster: Cluster | None, lines: list[str]) -> int:
        from archspec import evaluate_all
        from archspec.runtime.evaluation.inference.journal import Journal
        from archspec.runtime.evaluation.predictions import numbered, write_predictions

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
        found = evaluate_all([model], "digits", report=lines.append, **given)
        worker = cluster.index if cluster else 0
        files = numbered(out.with_name(f"{out.name}-{worker}.npz"), len(found))
        for file, each in zip(files, found, strict=True):
            write_predictions(file, each.predictions)
        return 0

    return run_workers(folder, workers, work)


def passed_barrier(folder: Path) -> list[Any]:
    """The chief exits right after the barrier, on a busy core where its other threads have the lowest priority.

    TensorFlow 2.21 sends from such a thread: a worker that exits right after an all-reduce may not have sent its part.
    """
    core = {min(os.sched_getaffinity(0))}

    def work(cluster: Cluster | None, lines: list[str]) -> int:
        from archspec.runtime.distributed.collectives import Collectives
        from archspec.runtime.distributed.strategy import make_strategy

        assert cluster is not None
        if cluster.is_chief:
            os.sched_setaffinity(0, core)
        collectives = Collectives(make_strategy(None, cluster), cluster)
        lines.extend(
            [
                collectives.broadcast(f"text of worker {cluster.index}"),
                str(collectives.workers_where(cluster.index == 1)),
            ]
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
        return run_workers(folder, 2, work)
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


def prepare(folder: Path) -> tuple[Path, Path]:
    """Import what all forked workers need, and write the specs: a small one, and one whose loss is soon no number."""
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401

    from archspec.runtime.system.tensorflow_import import import_tensorflow
    from tests.runtime.small_specs import BLOWN

    import_tensorflow()
    os.environ["XDG_CACHE_HOME"] = str(folder)
    spec, blown = folder / "small.yaml", folder / "blown.yaml"
    spec.write_text(SPEC)
    blown.write_text(BLOWN)
    return spec, blown


def together(folder: Path) -> dict[str, Any]:
    """Workers that train and evaluate to the end, and two that do not have the same network."""
    spec, blown = prepare(folder)
    import numpy as np

    from tests.runtime.training.same_bits import result

    single, two, lone, both_scored = (folder / name for name in ("single", "two", "lone", "scored"))
    outcome: dict[str, Any] = {
        "single": trained(folder, spec, single, 1),
        "two": trained(folder, spec, two, 2),
        "different networks": different(folder, spec, blown),
        "evaluated": evaluated(folder, two, lone, 1),
        "evaluated by two": evaluated(folder, two, both_scored, 2),
    }
    one, both = result(single), result(two)
    start = {name: array for name, array in one["weights"].items() if name.startswith("variable")}
    outcome["distance"] = max(
        float(np.abs(array.astype(float) - both["weights"][name].astype(float)).max()) for name, array in start.items()
    )
    rows = [np.genfromtxt(run / "history.csv", delimiter=",", names=True) for run in (single, two)]
    outcome["history"] = max(float(np.abs(rows[0][name] - rows[1][name]).max()) for name in rows[0].dtype.names)
    outcome["posteriors"] = max(distance(both_scored, worker, lone) for worker in (0, 1))
    return outcome


def distance(out: Path, worker: int, lone: Path) -> float:
    """The largest difference between the posteriors of a worker and those of an evaluation by one worker."""
    return max(
        float(abs(mine - its).max()) for mine, its in zip(posteriors(out, worker), posteriors(lone, 0), strict=True)
    )


def failures(folder: Path) -> dict[str, Any]:
    """Workers that are killed, stopped, or find a value that is not finite, and what is resumed after it."""
    spec, blown = prepare(folder)
    from tests.runtime.training.same_bits import differences, result

    two, lost, lone, killed = (folder / name for name in ("two", "lost", "lone", "scored"))
    outcome: dict[str, Any] = {"two": trained(folder, spec, two, 2)}
    with ThreadPoolExecutor(2) as pool:  # most of the time all of these wait for missed heartbeats
        frozen = pool.submit(trained, folder, spec, folder / "frozen", 2, {0: signal.SIGSTOP})
        three = pool.submit(trained, folder, spec, folder / "three", 3, {1: signal.SIGKILL})
        outcome["killed"] = trained(folder, spec, lost, 2, {1: signal.SIGKILL})
        outcome |= {"frozen chief": frozen.result(), "killed of three": three.result()}
    outcome |= {
        "stopped": trained(folder, spec, lost, 2, {1: signal.SIGTERM}),
        "resumed": trained(folder, spec, lost, 2),
        "barrier": [passed_barrier(folder) for _ in range(3)],
        "non-finite on one": non_finite_on_one(folder, spec),
        "diverged": trained(folder, blown, folder / "diverged", 2),
        "diverged apart": trained(folder, blown, folder / "apart", 2, apart=True),
        "evaluated": evaluated(folder, two, lone, 1),
        "evaluator killed": evaluated(folder, two, killed, 2, killed=1, batch_size=16),
    }
    outcome["kept"] = len(list(folder.glob("archspec/evaluations/*.rows")))
    outcome["evaluated again"] = evaluated(folder, two, killed, 2)
    outcome["left"] = len(list(folder.glob("archspec/evaluations/*.rows")))
    outcome["posteriors"] = distance(killed, 0, lone)
    outcome["differences"] = [name for name in differences(result(two), result(lost)) if name != "checkpoints"]
    return outcome


if __name__ == "__main__":
    print(json.dumps({"together": together, "failures": failures}[sys.argv[1]](Path(sys.argv[2]))))
