"""To go on with a run in a test, or to be refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.training.train import resume
from tests.runtime.training.test_train_run import Watcher


def go_on(out: Path, **arguments: Any) -> Watcher:
    watcher = Watcher()
    resume(out, archspec.load, progress=watcher, **arguments)
    return watcher


def refused(code: str, out: Path, **arguments: Any) -> Any:
    with pytest.raises(ArchspecError) as caught:
        go_on(out, **arguments)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert diagnostic.help
    return diagnostic
