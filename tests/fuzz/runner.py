"""Runs cases in child processes with limits on time and memory, and shrinks those that break a promise.

A child is forked for each batch, so that a case that ends the process costs one batch. TensorFlow is imported by one
child, which examines all cases of its families.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import IO, Any

from archspec.diagnostics import ArchspecError
from tests.fuzz.family import Family

SECONDS = 1.0
"""CPU time that a static command may take on the reference machine."""
BYTES = 500 * 10**6
"""Memory that a static command may take."""
REFERENCE = 0.05
"""CPU seconds of `calibration` on the reference machine, where `python -c pass` takes 0.02 s."""
FACTOR = 2
"""Time and memory of a case that needs TensorFlow, relative to those of a good file."""
LEAST_SECONDS, LEAST_BYTES = 0.1, 16 * 10**6
"""What a good file counts as taking at least: the resolution of both measurements, and larger files than it."""
BATCH = 500
SILENCE = 300.0
"""Wall-clock seconds after which a child counts as hanging."""


@dataclass(frozen=True)
class Task:
    """A case: the number of a family's case, or contents that are given."""

    family: Family
    number: int
    contents: bytes | None = None

    def file_contents(self, seed: int) -> bytes:
        """The contents of its file."""
        if self.contents is not None:
            return self.contents
        return self.family.make(Random(f"{seed} {self.family.name} {self.number}"))


@dataclass(frozen=True)
class Finding:
    """A promise that a case breaks."""

    task: Task
    signature: str
    """Equal for cases with one cause: `ValueError in archspec/x.py:12`, `slow`, `memory`, `signal 11`."""
    text: str


class TooSlowError(BaseException):
    """The time of a case is up."""


def calibration() -> float:
    """CPU seconds of a fixed calculation, which take longer on a slow or busy machine."""
    start = time.process_time()
    total: dict[str, int] = {}
    for number in range(90_000):
        total[str(number % 997)] = total.get(str(number % 997), 0) + len(f"{number:,}")
    return time.process_time() - start


def rounds(families: Sequence[Family]) -> Iterator[Task]:
    """Cases of all families for ever, in the shares of their weights."""
    numbers = dict.fromkeys([family.name for family in families], 0)
    while True:
        for family in families:
            for _ in range(family.weight):
                yield Task(family, numbers[family.name])
                numbers[family.name] += 1


def run(tasks: Sequence[Task], seed: int) -> Iterator[Finding]:
    """Examine the cases."""
    static = [task for task in tasks if not task.family.tensorflow]
    for start in range(0, len(static), BATCH):
        yield from _batch(static[start : start + BATCH], seed)
    if others := [task for task in tasks if task.family.tensorflow]:
        yield from _batch(others, seed)


def _batch(tasks: Sequence[Task], seed: int) -> Iterator[Finding]:
    """Examine cases in one child, and the rest in another one if it ends early."""
    tasks[0].file_contents(seed)  # fills the caches that all children inherit
    while tasks:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            with os.fdopen(writer, "w") as out:
                try:
                    _child(tasks, seed, out)
                except BaseException:
                    out.write(
                        json.dumps({"case": 0, "signature": "the fuzzer fails", "text": traceback.format_exc()}) + "\n"
                    )
            os._exit(0)
        os.close(writer)
        current, hung = 0, False
        with os.fdopen(reader, "rb", buffering=0) as lines:
            for line in _lines(lines):
                if line is None:
                    hung = True
                    os.kill(child, signal.SIGKILL)
                    break
                message = json.loads(line)
                current = message["case"]
                if "signature" in message:
                    yield Finding(tasks[current], message["signature"], message["text"])
        _, status = os.waitpid(child, 0)
        if status == 0:
            break
        ended = (
            "hangs" if hung else f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {status >> 8}"
        )
        yield Finding(tasks[current], ended, "the process ended")
        tasks = tasks[current + 1 :]


def _lines(pipe: IO[bytes]) -> Iterator[bytes | None]:
    """The lines of a pipe; None when none comes for a long time."""
    rest = b""
    while True:
        ready, _, _ = select.select([pipe], [], [], SILENCE)
        if not ready:
            yield None
            return
        part = pipe.read(65536)
        if not part:
            return
        *whole, rest = (rest + part).split(b"\n")
        yield from whole


# ---- in the child --------------------------------------------------------------------------------------------------


def _child(tasks: Sequence[Task], seed: int, out: IO[str]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, _raise)

    def send(**message: Any) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        os.chdir(folder)
        limits: dict[str, tuple[float, int]] = {}
        for family in {task.family.name: task.family for task in tasks}.values():
            send(case=0)
            limits[family.name] = _limits(family, Path(folder))
        for number, task in enumerate(tasks):
            send(case=number)
            with contextlib.suppress(OSError):
                try:
                    contents = task.file_contents(seed)
                except Exception:  # the other cases are examined all the same
                    send(case=number, signature="the fuzzer fails", text=traceback.format_exc())
                    continue
                broken = _examined(task, contents, Path(folder), *limits[task.family.name])
                if broken is not None:
                    send(case=number, signature=broken[0], text=broken[1])


def _raise(*_: object) -> None:
    raise TooSlowError


def _limits(family: Family, folder: Path) -> tuple[float, int]:
    """The seconds and bytes that a case may take: absolute, or those of a good file."""
    if family.good is None:
        _bound_memory(BYTES)
        return SECONDS, BYTES
    contents = family.good()
    _measured(family, contents, folder)  # imports TensorFlow and traces functions
    _bound_memory(2 * 10**9)
    taken = [_measured(family, contents, folder) for _ in range(2)]
    seconds, memory = (max(column) for column in zip(*((each[0], each[1]) for each in taken), strict=True))
    return FACTOR * max(seconds, LEAST_SECONDS), FACTOR * max(memory, LEAST_BYTES)


def _bound_memory(size: int) -> None:
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + size, resource.RLIM_INFINITY))


def _examined(task: Task, contents: bytes, folder: Path, seconds: float, memory: int) -> tuple[str, str] | None:
    """The signature and text of the promise that a case breaks."""
    taken, peak, broken = _measured(task.family, contents, folder, 10 * seconds)
    if broken is not None:
        return broken
    if taken > seconds:  # again, since the machine may be busy
        taken, peak, _ = _measured(task.family, contents, folder, 10 * seconds)
        scale = max(1.0, calibration() / REFERENCE)
        if taken > seconds * scale:
            return "slow", f"{taken:.2f} s of CPU time, where {seconds * scale:.2f} s are allowed"
    if peak > memory:
        return "memory", f"{peak / 1e6:.0f} MB, where {memory / 1e6:.0f} MB are allowed"
    return None


def _measured(
    family: Family, contents: bytes, folder: Path, patience: float = 300.0
) -> tuple[float, int, tuple[str, str] | None]:
    """The longest CPU time of a step, the growth of the memory, and what went wrong."""
    file = folder / f"case{family.suffix}"
    file.write_bytes(contents)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak
    before = _status("VmRSS")
    longest, broken = 0.0, None
    steps = family.examine(file)
    signal.setitimer(signal.ITIMER_PROF, patience)
    try:
        while True:
            start = time.process_time()
            try:
                next(steps)
            except (StopIteration, ArchspecError):
                break
            finally:
                longest = max(longest, time.process_time() - start)
    except TooSlowError:
        longest, broken = patience, ("slow", f"more than {patience:.0f} s of CPU time\n{traceback.format_exc(-6)}")
    except BaseException as error:
        broken = _signature(error), traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return longest, _status("VmHWM") - before, broken


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return 0


def _signature(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/archspec/" in frame.filename or "/cli/" in frame.filename]
    last = ours[-1] if ours else frames[-1]
    return f"{type(error).__name__} in {last.filename.rpartition('/archspec/')[2]}:{last.name}"


# ---- shrinking -----------------------------------------------------------------------------------------------------


def shrunk(finding: Finding, seed: int, attempts: int = 200) -> bytes:
    """The contents of a case with parts left out, as long as it breaks the same promise."""
    contents = finding.task.file_contents(seed)
    if finding.task.family.tensorflow:
        return contents  # each attempt would import TensorFlow
    separator = b"\n" if contents.count(b"\n") > 3 else b""
    parts = contents.split(separator) if separator else [contents[i : i + 1] for i in range(len(contents))]
    size = max(1, len(parts) // 2)
    end = time.monotonic() + 60
    while size and attempts > 0 and time.monotonic() < end:
        at = 0
        while at < len(parts) and attempts > 0 and time.monotonic() < end:
            attempts -= 1
            fewer = parts[:at] + parts[at + size :]
            task = Task(finding.task.family, finding.task.number, separator.join(fewer))
            if any(each.signature == finding.signature for each in _batch([task], seed)):
                parts = fewer
            else:
                at += size
        size //= 2
    return separator.join(parts)


def report(finding: Finding, seed: int, small: bytes) -> str:
    """The finding, and how to examine it again."""
    name = f"{finding.task.family.name}:{finding.task.number}"
    again = f"python -m tests.fuzz --seed {seed} --only {name}"
    shown = small if len(small) <= 2000 else small[:2000] + b"..."
    text = shown.decode("utf-8", "backslashreplace") if finding.task.family.suffix == ".yaml" else repr(shown)
    return f"{finding.signature}\n  again: {again}\n{finding.text.rstrip()}\n--- {len(small):,} bytes:\n{text}"
