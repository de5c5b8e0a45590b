"""Ctrl-C ends a command with status 130, SIGTERM with 143; without a traceback, at any time after its first import."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archspec.cli.main import is_interrupt

START = """
import os, sys
import archspec.__main__ as command
sys.argv = ["archspec", *sys.argv[1:]]
exit_on_interrupt = command.exit_on_interrupt
def started():
    exit_on_interrupt()
    os.write(1, b"started\\n")
command.exit_on_interrupt = started
command.main()
"""
"""Says when Ctrl-C is handled: on a busy machine the first one may come before."""


SUMMARIZE, BUILD = ("summarize", "resnet:50"), ("build", "lenet:5", "-o", "OUT.keras")
MOMENTS = (0, 10, 30, 60, 100, 150, 220, 300, 500)
OFTEN = (0, 60, 220, 500)
"""The moments at which `build`, which may be importing TensorFlow, is interrupted without `-m slow`."""


@pytest.mark.parametrize(
    ("milliseconds", "arguments"),
    [(each, SUMMARIZE) for each in MOMENTS]
    + [pytest.param(each, BUILD, marks=() if each in OFTEN else pytest.mark.slow) for each in MOMENTS],
)
def test_an_early_interrupt_is_silent(
    milliseconds: int, arguments: tuple[str, ...], tmp_path: os.PathLike[str]
) -> None:
    words = [word.replace("OUT", f"{os.fspath(tmp_path)}/out") for word in arguments]
    command = [sys.executable, "-c", START, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "started\n"
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    if process.returncode == 0:  # it was done before
        assert arguments[0] == "summarize"
        assert "params" in out
    else:
        assert process.returncode == 130
        assert err.strip() in ("", "interrupted")


TERMINATED = """
import os, signal, sys, tempfile
from archspec.interrupt import exit_on_interrupt, raise_on_interrupt
exit_on_interrupt()
raise_on_interrupt()
with tempfile.TemporaryDirectory(dir=sys.argv[1]):
    os.kill(os.getpid(), int(sys.argv[2]))
print("not ended")
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_to_end_leaves_no_temporary_files(number: int, status: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", TERMINATED, str(tmp_path), str(int(number))]
    found = subprocess.run(command, capture_output=True, text=True, preexec_fn=lambda: signal.signal(signal.SIGHUP, 0))
    assert (found.returncode, found.stdout, found.stderr) == (status, "", "")
    assert list(tmp_path.iterdir()) == []


def test_errors_that_refer_to_each_other_end_the_search_for_an_interrupt() -> None:
    one, other = OSError("one"), ValueError("other")
    one.__context__, other.__context__ = other, one
    assert not is_interrupt(one)
    other.__context__ = KeyboardInterrupt()
    assert is_interrupt(one)
