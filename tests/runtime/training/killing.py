"""Runs that are killed and resumed: one process imports TensorFlow, and forks before TensorFlow starts to run.

`python -m tests.runtime.training.killing FOLDER KILLS SEED` kills so many times, at random moments of a run on 1 and on
2 replicas, and prints the results as JSON. Four moments of five are a random call of a Python or C function inside a
phase: a step, the writing of a checkpoint, the validation, the files that follow from an epoch; every other kill in a
step comes some milliseconds after that call, so that it falls into TensorFlow's own code. The fifth is a random time,
from the start of the process or from its first step on. What was under way is read off the stack of the killed process.
"""

from __future__ import annotations

import csv
import gc
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import archspec
from archspec.runtime.training.records.checkpoint import files
from archspec.runtime.training.records.curves import draw_curves
from archspec.runtime.training.records.progress import TrainingProgress
from tests.runtime.small_specs import SPEC
from tests.runtime.training.kill_points import Counter, Killer, Moment, moments
from tests.runtime.training.same_bits import differences, result


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


def warm_up(folder: Path) -> None:
    """What each process would do anew, done once before they are forked: a picture, and what is collected."""
    row = {"epoch": 1, "learning_rate": 0.1, "loss": 1.0, "top1": 0.5, "val_loss": 1.0, "val_top1": 0.5}
    draw_curves(folder / "curves.png", "first", [row, row])
    gc.collect()
    gc.freeze()


def main(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    from archspec import export
    from archspec.runtime.system.tensorflow_import import import_tensorflow
    from archspec.runtime.training.train import resume, train

    import_tensorflow()
    warm_up(folder)

    chosen = random.Random(seed)
    spec = folder / "small.yaml"
    spec.write_text(SPEC)

    def start(run: Path, replicas: int, progress: TrainingProgress, deterministic: bool = False) -> object:
        return train(
            archspec.load(str(spec)),
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
    again = {
        "status": forked(do_export),
        "whole": (exported / "1" / "saved_model.pb").is_file(),
        "half": len(half_written()),
    }
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
