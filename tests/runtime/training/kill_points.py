"""When a process is killed: at a call inside a phase of its run, or at a time; its stack says what was under way."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from archspec.runtime.training import loop as epoch
from archspec.runtime.training.records.checkpoint import Checkpoints
from archspec.runtime.training.records.progress import TrainingProgress
from archspec.runtime.training.records.run_logger import RunLogger
from archspec.runtime.training.train_step import TrainStep

PHASES = {
    TrainStep.__call__.__code__: "step",
    Checkpoints.save.__code__: "checkpoint",
    epoch.count.__code__: "validation",
    RunLogger.write.__code__: "epoch's end",
}


WHERE: dict[str, tuple[Any, str]] = {
    "step": (TrainStep, "__call__"),
    "checkpoint": (Checkpoints, "save"),
    "validation": (epoch, "count"),
    "epoch's end": (RunLogger, "write"),
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
