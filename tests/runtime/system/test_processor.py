"""Which processors get oneDNN, and what run.json says of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archspec.runtime.system import processor
from archspec.runtime.training.run_request import ResumedRun

AVX2 = "processor\t: 0\nmodel name\t: AMD EPYC 7763\nflags\t\t: fpu fma avx avx2\n\nprocessor\t: 1\nflags\t: fpu\n"
OLD = AVX2.replace(" fma avx avx2", "")
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16\n\n"
IMPORT = "from archspec.runtime.system.tensorflow_import import import_tensorflow; import_tensorflow()\n"
SHOW = "from archspec.runtime.system.processor import processor; print(processor()['onednn'])"


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that describes the processor; TensorFlow seems not to be imported."""
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(processor, "CPUINFO", path)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.delenv(processor.ONEDNN, raising=False)
    processor._cpuinfo.cache_clear()
    yield path
    processor._cpuinfo.cache_clear()


@pytest.mark.parametrize(("text", "chosen"), [(AVX2, "1"), (OLD, None), (ARM, None), ("", None)])
def test_onednn_is_switched_on_for_avx2(cpuinfo: Path, text: str, chosen: str | None) -> None:
    cpuinfo.write_text(text)
    processor.choose_onednn()
    assert os.environ.pop(processor.ONEDNN, None) == chosen


def test_the_setting_of_the_user_wins(cpuinfo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo.write_text(AVX2)
    monkeypatch.setenv(processor.ONEDNN, "0")
    processor.choose_onednn()
    assert os.environ[processor.ONEDNN] == "0"
    assert processor.name() == "AMD EPYC 7763"


def test_an_imported_tensorflow_stays_as_it_is(cpuinfo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo.write_text(AVX2)
    monkeypatch.setitem(sys.modules, "tensorflow", os)
    processor.choose_onednn()
    assert processor.ONEDNN not in os.environ


@pytest.mark.parametrize("setting", [pytest.param("0", marks=pytest.mark.slow), "1"])
def test_the_record_is_what_tensorflow_uses(setting: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT + SHOW],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, processor.ONEDNN: setting},
    )
    if "avx2" in processor.features():
        assert (done.stdout.strip(), done.stderr) == (str(setting == "1"), "")


def test_a_resumed_run_names_a_different_setting() -> None:
    notes: list[str] = []
    before = {"name": "EPYC", "onednn": False}
    run = ResumedRun({"processor": before, "devices": "1 CPU", "resumed": []}, "", None)
    machine = {"devices": "1 CPU", "processor": {**before, "onednn": True}}
    settings = run.updated_settings(machine, "now", notes.append)
    assert settings["resumed"] == [{"at": "now", **machine}]
    assert notes == [
        "processor changed from name EPYC, onednn False to name EPYC, onednn True: "
        "results will agree with those of an uninterrupted run to rounding only"
    ]
    unrecorded = ResumedRun({"devices": "1 CPU", "resumed": []}, "", None)
    unrecorded.updated_settings(machine, "now", notes.append)
    assert len(notes) == 1  # a run of an earlier version has no record of it
