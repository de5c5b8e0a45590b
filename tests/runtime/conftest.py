"""What every test of the run time may rely on: lines that come only on a slow machine stay away."""

from __future__ import annotations

import math

import pytest


@pytest.fixture(autouse=True)
def no_lines_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports of the progress of reading, which come every two seconds."""
    monkeypatch.setattr("archspec.runtime.data.files.image_facts.INTERVAL", math.inf)
    monkeypatch.setattr("archspec.runtime.data.sources.tfrecord.INTERVAL", math.inf)
