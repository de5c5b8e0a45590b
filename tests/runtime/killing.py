"""Runs that are killed and resumed: one process imports TensorFlow, and forks before TensorFlow starts to run.

`python -m tests.runtime.killing FOLDER KILLS SEED` kills so many times, at random moments of a run on 1 and on 2
replicas, and prints what came of it as JSON. Four moments of five are a random call of a Python or C function inside a
phase: a step, the writing of a checkpoint, the validation, the files that follow from an epoch; every other kill in a
step comes some milliseconds after that call, so that it falls into TensorFlow's own code. The fifth is a random time,
from the start of the process or from its first step on. What was under way is read off the stack of the killed process.
"""

from __future__ import annotations

import csv
import gc
import io
import json
import os
import random
import signal
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import h5py
import numpy as np

import archspec
from archspec.runtime import epoch
from archspec.runtime.checkpoint import Checkpoints, files
from archspec.runtime.checkpoint_file import read_checkpoint
from archspec.runtime.curves import draw_curves
from archspec.runtime.progress import TrainingProgress
from archspec.runtime.record import Record
from archspec.runtime.step import TrainStep

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


BLOWN = """\
name: blown
input: [8, 8, 1]
layers:
  - {conv: {filters: 4, kernel_size: 3}, name: one}
  - relu
  - {conv: {filters: 4, kernel_size: 3}, name: two}
  - flatten
  - {dense: 10, name: three}
  - softmax
preprocess: [scale: 0.00392156862745098]
train: {epochs: 3, batch_size: 150, schedule: {step: {epochs: [1], gamma: 1.0e17}}}
"""
"""A rate of 10^15 in the second epoch: see `test_a_loss_that_is_no_number_names_the_layer`."""

PHASES = {
    TrainStep.__call__.__code__: "step",
    Checkpoints.save.__code__: "checkpoint",
    epoch.count.__code__: "validation",
    Record.write.__code__: "epoch's end",
}
WHERE: dict[str, tuple[Any, str]] = {
    "step": (TrainStep, "__call__"),
    "checkpoint": (Checkpoints, "save"),
    "validation": (epoch, "count"),
    "epoch's end": (Record, "write"),
}


@dataclass(frozen=True)
class Moment:
    """After `calls` in a phase, if one is given, and then `seconds`; from the first step on, or from the start."""

    phase: str | None = None
    calls: int = 0
    seconds: float = 0.0
    from_start: bool = False


class Killer(TrainingProgress):
    """Kills its own process at a moment, and leaves what it was doing in a file."""

    def __init__(self, moment: Moment | None = None, said: Path | None = None) -> None:
        super().__init__(quiet=True)
        self.moment, self.said = moment, said

    def note(self, text: str) -> None: ...

    def arm(self, moment: Moment, said: Path) -> None:
        self.moment = None
        if moment.phase is None:
            kill_after(moment.seconds, said)
        else:
            kill_inside(moment.phase, moment.calls, moment.seconds, said)

    def steps(self, *figures: Any) -> None:
        if self.moment and self.said:
            self.arm(self.moment, self.said)


class Counter(Killer):
    """Counts the calls in each phase from the first step to the end of the last epoch, in a file."""

    def __init__(self, file: Path) -> None:
        super().__init__(Moment(), file)
        self.counts = dict.fromkeys(WHERE, 0)

    def arm(self, moment: Moment, said: Path) -> None:
        self.moment = None
        for phase in WHERE:
            look_inside(phase, partial(self.count, phase))

    def count(self, phase: str, *_: Any) -> None:
        self.counts[phase] += 1

    def epoch(self, row: Any, *, best: bool) -> None:
        if self.said:
            self.said.write_text(json.dumps(self.counts))


def kill_after(seconds: float, said: Path) -> None:
    timer = threading.Timer(seconds, lambda: die(sys._current_frames()[threading.main_thread().ident or 0], said))
    timer.daemon = True
    timer.start()


def kill_inside(phase: str, calls: int, seconds: float, said: Path) -> None:
    left = calls

    def look(frame: FrameType, *_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0 and seconds:
            sys.setprofile(None)
            kill_after(seconds, said)
            left = sys.maxsize
        elif left < 0:
            die(frame, said)

    look_inside(phase, look)


def look_inside(phase: str, look: Callable[..., None]) -> None:
    """Have every call inside a phase looked at, from now on."""
    owner, name = WHERE[phase]
    work = getattr(owner, name)

    def looked_at(*arguments: Any, **named: Any) -> Any:
        sys.setprofile(look)
        try:
            return work(*arguments, **named)
        finally:
            sys.setprofile(None)

    setattr(owner, name, looked_at)


def die(frame: FrameType | None, said: Path) -> None:
    """Say what is under way in a frame of the main thread, and be killed."""
    place = "start"
    while frame is not None:
        if frame.f_code in PHASES:
            place = PHASES[frame.f_code]
            break
        if frame.f_code is epoch.run_epochs.__code__:
            place = "between"
        frame = frame.f_back
    said.write_text(place)
    os.kill(os.getpid(), signal.SIGKILL)


def moments(chosen: random.Random, calls: Mapping[str, int]) -> Iterator[Moment]:
    """Phase by phase, each at a random call of the next quarter of a run; the fifth at a random time."""
    for number in count():
        for phase in WHERE:
            seconds = chosen.random() * 0.008 if phase == "step" and number % 2 else 0.0
            yield Moment(phase, int(calls[phase] * chosen.random() / 4), seconds)
        from_start = chosen.random() < 0.5
        yield Moment(seconds=chosen.random() * (1.0 if from_start else 0.5), from_start=from_start)


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


def warm_up(folder: Path) -> None:
    """What each process would do anew, done once before they are forked: a picture, and what is collected."""
    row = {"epoch": 1, "learning_rate": 0.1, "loss": 1.0, "top1": 0.5, "val_loss": 1.0, "val_top1": 0.5}
    draw_curves(folder / "curves.png", "first", [row, row])
    gc.collect()
    gc.freeze()


def main(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    from archspec.runtime.export import export
    from archspec.runtime.quiet import import_tensorflow
    from archspec.runtime.train import resume, train

    import_tensorflow()
    warm_up(folder)

    chosen = random.Random(seed)
    page = folder / "small.yaml"
    page.write_text(PAGE)

    def start(run: Path, replicas: int, progress: TrainingProgress, deterministic: bool = False) -> object:
        return train(
            archspec.load(str(page)),
            "digits",
            out=run,
            devices=replicas,
            seed=5,
            checkpoint_every="4steps",
            progress=progress,
            deterministic=deterministic,
        )

    def one(run: Path, replicas: int, killer: Killer) -> object:
        if killer.moment and killer.moment.from_start and killer.said:
            killer.arm(killer.moment, killer.said)
        if (run / "run.json").exists():
            return resume(run, archspec.load, devices=replicas, progress=killer)
        return start(run, replicas, killer)

    killed, failures, resumed_at, rates = [], [], [], []
    for replicas, share in ((1, kills - kills // 5), (2, kills // 5)):
        whole, counted, said = folder / f"whole-{replicas}", folder / "calls", folder / "place"
        # on one replica with --deterministic, which the runs that are killed are without
        work = partial(start, whole, replicas, Counter(counted), replicas == 1)
        if status := forked(work):
            raise RuntimeError(f"the uninterrupted run ended with {status}")
        expected, to_come = result(whole), moments(chosen, json.loads(counted.read_text()))
        run, number, done = folder / f"run-{replicas}-0", 0, 0
        while True:
            moment = next(to_come) if done < share else None
            if (run / "run.json").exists():
                resumed_at.append(files(run)[0].name if files(run) else None)
            status = forked(partial(one, run, replicas, Killer(moment, said)))
            if status == -signal.SIGKILL:
                done += 1
                killed.append({"replicas": replicas, "in": said.read_text(), **asdict(moment or Moment())})
            elif status:
                failures.append(f"{moment} on {replicas} replicas: exit status {status}")
                break
            else:
                lines = (run / "history.csv").read_text().splitlines()
                rates.append([float(row["learning_rate"]) for row in csv.DictReader(lines)])
                failures += [f"{run.name}: {name} differs" for name in differences(expected, result(run))]
                if done >= share:
                    break
                number += 1
                run = folder / f"run-{replicas}-{number}"
    careful = folder / "whole-1"
    deterministic = {
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
