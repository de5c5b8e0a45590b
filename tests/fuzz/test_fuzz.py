"""Two thousand hostile files break no promise, and the runner sees every kind of broken promise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from archspec.diagnostics import fail
from tests.fuzz.family import Family
from tests.fuzz.runner import Task, run, shrunk

ROOT = Path(__file__).parents[2]
CASES = 2000
STATIC = ("specs", "npz", "predictions", "table", "class-list", "tiff")


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, because TensorFlow's threads do not survive a fork."""
    command = [sys.executable, "-m", "tests.fuzz", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)


def test_hostile_files_end_in_an_error_of_archspec_in_bounded_time() -> None:
    result = fuzz("--cases", str(CASES), "--seed", "0", *(f"--family={name}" for name in STATIC))
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{CASES:,} cases" in result.stdout


@pytest.mark.slow
def test_hostile_images_records_and_weights_take_no_more_than_good_ones() -> None:
    result = fuzz("--cases", "3000", "--seed", "0")
    assert result.returncode == 0, result.stdout + result.stderr


def _refuses(file: Path) -> Iterator[object]:
    yield None
    raise fail("page-not-found", "no")


def _raises(file: Path) -> Iterator[object]:
    yield None
    if b"bad" in file.read_bytes():
        raise KeyError("x")


def _loops(file: Path) -> Iterator[object]:
    while True:
        pass
    yield None


def _grows(file: Path) -> Iterator[object]:
    yield len(bytes(700 * 10**6))


def _ends(file: Path) -> Iterator[object]:
    os.kill(os.getpid(), signal.SIGKILL)
    yield None


@pytest.mark.parametrize(
    ("examine", "signature"),
    [
        (_refuses, None),
        (_raises, "KeyError in"),
        (_loops, "slow"),
        (_grows, "MemoryError in"),
        (_ends, "signal 9"),
    ],
)
def test_each_broken_promise_is_found(examine: object, signature: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.runner.SECONDS", 0.05)
    family = Family("odd", ".txt", lambda random: b"bad", examine)  # type: ignore[arg-type]
    found = list(run([Task(family, number) for number in range(2)], 0))
    assert [each.signature.startswith(str(signature)) for each in found] == [True] * (2 * (signature is not None))


def test_a_case_that_cannot_be_made_does_not_end_the_others() -> None:
    def make(random: Random) -> bytes:
        raise RecursionError

    odd = Family("odd", ".txt", lambda random: b"bad", _raises)
    found = list(run([Task(odd, 0), Task(Family("none", ".txt", make, _raises), 0), Task(odd, 1)], 0))
    assert [each.signature.partition(" in")[0] for each in found] == ["KeyError", "the fuzzer fails", "KeyError"]


def test_changes_of_a_tree_do_not_change_what_they_insert() -> None:
    from tests.fuzz.mutate import VALUES, changed

    before = repr(VALUES)
    for seed in range(300):
        changed(Random(seed), {"a": [{"b": []}, {"c": {}}]}, 6)
    assert repr(VALUES) == before


def test_a_case_is_shrunk_to_what_breaks_the_promise() -> None:
    family = Family("odd", ".txt", lambda random: b"one\ntwo\nbad\nthree\nfour\nfive", _raises)
    (finding,) = run([Task(family, 0)], 0)
    assert shrunk(finding, 0) == b"bad"


def test_a_case_is_made_again_by_its_number() -> None:
    family = Family("odd", ".txt", lambda random: random.randbytes(9), _raises)
    assert Task(family, 3).file_contents(5) == Task(family, 3).file_contents(5)
    assert len({Task(family, number).file_contents(seed) for number in range(3) for seed in range(3)}) == 9
