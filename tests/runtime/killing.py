"""Runs that are killed and resumed: one process imports TensorFlow, and forks before TensorFlow starts to run.

`python -m tests.runtime.killing FOLDER KILLS SEED` kills so many times, at random moments of a run on 1 and on 2
replicas, and prints what came of it as JSON. A moment is a random call of a Python or C function after the first step,
so that it falls into steps, checkpoints, epochs' ends and the files that follow from them as often as they make calls;
or a random time, so that it falls into TensorFlow's own code too.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import signal
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import archspec
from archspec.runtime.checkpoint import files
from archspec.runtime.checkpoint_file import read_checkpoint
from archspec.runtime.progress import TrainingProgress

PAGE = """\
name: small
input: [8, 8, 1]
params: {classes: 10}
layers:
  - conv: {filters: 6, kernel_size: 3, strides: 2, padding: same, use_bias: false}
  - bn: {momentum: 0.8}
  - relu
  - flatten
  - dropout: 0.1
  - dense: $classes
  - softmax
preprocess: [scale: 0.00392156862745098]
train:
  epochs: 3
  batch_size: 150
  optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9, use_ema: true, gradient_accumulation_steps: 2}}
  schedule: {plateau: {monitor: loss, factor: 0.5, patience: 1, min_delta: 100}} # drops after epoch 2
  warmup: {epochs: 1}
  early_stopping: {patience: 5}
  weight_decay: 1e-3
  augment: [random_shift: 1]
"""


class Killer(TrainingProgress):
    """Kills its own process at a moment after the first step."""

    def __init__(self, calls: int | None = None, seconds: float | None = None) -> None:
        super().__init__(quiet=True)
        self.calls, self.seconds, self.armed = calls, seconds, False

    def note(self, text: str) -> None: ...

    def steps(self, *figures: Any) -> None:
        if self.armed:
            return
        self.armed = True
        if self.calls is not None:
            kill_after_calls(self.calls)
        if self.seconds is not None:
            kill_after(self.seconds)


class Counter(Killer):
    """Counts the calls from the first step to the end, in a file."""

    def __init__(self, file: Path) -> None:
        super().__init__(calls=0)
        self.file, self.count = file, 0

    def steps(self, *figures: Any) -> None:
        if not self.armed:
            self.armed = True
            sys.setprofile(self._count)

    def _count(self, *_: Any) -> None:
        self.count += 1

    def epoch(self, row: Any, *, best: bool) -> None:
        self.file.write_text(str(self.count))


def kill_after(seconds: float) -> None:
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()


def kill_after_calls(calls: int) -> None:
    left = calls

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def forked(work: Callable[[], object]) -> int:
    """Do the work in a process of its own: its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        status = 70
        try:
            work()
            status = 0
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def result(run: Path) -> dict[str, Any]:
    """All that must be equal to the last bit, without starting TensorFlow."""
    weights = {}
    for name in ("best.keras", "last.keras"):
        with zipfile.ZipFile(run / name) as archive:
            contents = io.BytesIO(archive.read("model.weights.h5"))
        found: dict[str, Any] = {}
        with h5py.File(contents) as file:
            file.visititems(lambda path, item, found=found: found.__setitem__(path, item))
            arrays = {path: item[()] for path, item in found.items() if isinstance(item, h5py.Dataset)}
        weights.update({f"{name}/{path}": array for path, array in arrays.items()})
    newest = read_checkpoint(files(run)[0])
    settings = json.loads((run / "run.json").read_text())
    return {
        "history": (run / "history.csv").read_bytes(),
        # by their order: Keras numbers the names of optimizers and seeds by what a process has made before
        "weights": {**weights, **{f"variable {i}": array for i, array in enumerate(newest.arrays.values())}},
        "best": settings["best"],
        "epochs": settings["epochs_finished"],
        "checkpoints": [path.name for path in files(run)],
        "files": sorted(path.name for path in run.iterdir()),
    }


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    found = [key for key in one if key != "weights" and one[key] != other[key]]
    if list(one["weights"]) != list(other["weights"]):
        found.append("variables")
    found += [name for name, array in one["weights"].items() if not np.array_equal(array, other["weights"].get(name))]
    return found


def main(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    import matplotlib.backends.backend_agg  # the curves need it: imported once, here
    import matplotlib.figure  # noqa: F401

    from archspec.runtime.export import export
    from archspec.runtime.quiet import import_tensorflow
    from archspec.runtime.train import resume, train

    import_tensorflow()

    chosen = random.Random(seed)
    page = folder / "small.yaml"
    page.write_text(PAGE)

    def start(run: Path, replicas: int, progress: TrainingProgress) -> object:
        return train(
            archspec.load(str(page)),
            "digits",
            out=run,
            devices=replicas,
            seed=5,
            checkpoint_every="4steps",
            progress=progress,
        )

    killed, failures, resumed_at, rates = [], [], [], []
    for replicas, share in ((1, kills - kills // 3), (2, kills // 3)):
        whole, counted = folder / f"whole-{replicas}", folder / "calls"
        status = forked(lambda whole=whole, counted=counted, n=replicas: start(whole, n, Counter(counted)))
        if status:
            raise RuntimeError(f"the uninterrupted run ended with {status}")
        expected, calls = result(whole), int(counted.read_text())
        run, number, done = folder / f"run-{replicas}-0", 0, 0
        while True:
            moment = (
                {"calls": int(calls * chosen.random() ** 2)}
                if chosen.random() < 0.7
                else {"seconds": chosen.random() * 0.6}
            )
            killer = Killer(**moment) if done < share else Killer()
            if run.exists():
                resumed_at.append(files(run)[0].name if files(run) else None)
                status = forked(
                    lambda run=run, killer=killer, n=replicas: resume(run, archspec.load, devices=n, progress=killer)
                )
            else:
                status = forked(lambda run=run, killer=killer, n=replicas: start(run, n, killer))
            if status == -signal.SIGKILL:
                done += 1
                moment["at"] = files(run)[0].name[:14] if files(run) else None
                killed.append({"replicas": replicas, **moment})
            elif status:
                failures.append(f"{moment} on {replicas} replicas: exit status {status}")
                break
            else:
                rates.append(
                    [
                        float(row["learning_rate"])
                        for row in csv.DictReader((run / "history.csv").read_text().splitlines())
                    ]
                )
                failures += [f"{run.name}: {name} differs" for name in differences(expected, result(run))]
                if done >= share:
                    break
                number += 1
                run = folder / f"run-{replicas}-{number}"
    careful = folder / "deterministic"
    arguments = {"devices": 1, "seed": 5, "checkpoint_every": "4steps", "progress": Killer(), "deterministic": True}
    status = forked(lambda: train(archspec.load(str(page)), "digits", out=careful, **arguments))
    deterministic = {
        "status": status,
        "differences": differences(result(folder / "whole-1"), result(careful)),
        "recorded": json.loads((careful / "run.json").read_text())["deterministic"],
        "data_wait": (careful / "times.csv").read_text().splitlines()[-1].split(",")[-1],
    }
    exported = folder / "exported"

    def half_written() -> list[Path]:
        return list(folder.glob(".exported*"))

    def do_export() -> object:
        return export(folder / "whole-1", exported)

    child = os.fork()
    if child == 0:
        do_export()
        os._exit(0)
    while not half_written():
        time.sleep(0.001)
    time.sleep(0.2 * chosen.random())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    interrupted = {"there": exported.exists(), "half": len(half_written())}
    again = {"status": forked(do_export), "whole": (exported / "saved_model.pb").is_file(), "half": len(half_written())}
    return {
        "killed": killed,
        "resumed_at": resumed_at,
        "failures": failures,
        "rates": rates,
        "deterministic": deterministic,
        "export": {"killed": interrupted, "again": again},
    }


if __name__ == "__main__":
    started = time.time()
    outcome = main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps({**outcome, "seconds": round(time.time() - started, 1)}))
