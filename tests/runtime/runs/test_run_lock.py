"""One process at a time works in a run directory, and a process that is killed does not keep others out."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from archspec.diagnostics import ArchspecError
from archspec.runtime.runs import run_directory
from archspec.runtime.runs.run_directory import LOCK as NAME
from archspec.runtime.runs.run_directory import locked, refuse_busy

HOLD = """
import sys, time
from pathlib import Path
from archspec.runtime.runs.run_directory import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that trains in the directory."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_directory_in_use_is_refused_with_the_process_that_has_it(tmp_path, holder):
    for take in (lambda: locked(tmp_path).__enter__(), lambda: refuse_busy(tmp_path)):
        with pytest.raises(ArchspecError) as caught:
            take()
        (found,) = caught.value.diagnostics
        assert found.code == "run-busy"
        assert f"process {holder.pid} on " in found.message


def test_overwriting_a_run_in_use_is_refused_and_touches_nothing(tmp_path, holder):
    for name in ("run.json", "best.keras"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ArchspecError, match="run-busy"):
        run_directory.refuse_existing(tmp_path, overwrite=True)
    with pytest.raises(ArchspecError, match="run-busy"), run_directory.created(tmp_path):
        pass
    assert (tmp_path / "best.keras").is_file()


def test_a_run_that_began_and_ended_meanwhile_is_not_replaced(tmp_path):
    """Two commands with one new `--out`: the second looks again when it has the folder for itself."""
    run_directory.refuse_existing(tmp_path / "run", overwrite=False)
    with run_directory.created(tmp_path / "run"):
        (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(ArchspecError, match="output-exists"), run_directory.created(tmp_path / "run"):
        pass
    assert (tmp_path / "run" / "run.json").is_file()
    with run_directory.created(tmp_path / "run", overwrite=True):
        assert not (tmp_path / "run" / "run.json").exists()


def test_a_killed_process_lets_go(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / NAME).exists()
    run_directory.refuse_existing(tmp_path, overwrite=False)  # it is a leftover, and no run
    with locked(tmp_path):
        assert (tmp_path / NAME).exists()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_can_be_taken_again_after_an_error(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path), pytest.raises(ArchspecError, match="run-busy"), locked(tmp_path):
        pass
    assert not (tmp_path / NAME).exists()


def test_a_lock_that_was_just_removed_is_not_mistaken_for_one(tmp_path: Path, monkeypatch):
    """Its last holder removes it between opening and locking: the second file is taken."""
    taken = []

    def remove_first(file, run, take=run_directory._take):
        if not taken:
            (tmp_path / NAME).unlink()
        taken.append(file)
        take(file, run)

    monkeypatch.setattr(run_directory, "_take", remove_first)
    with locked(tmp_path):
        assert (tmp_path / NAME).exists()
    assert len(taken) == 2
