"""`run("check", "vgg")` calls the console script in this process and returns its status and output."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from archspec.cli import main


class Result(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.delenv("COLUMNS", raising=False)

    def call(*arguments: object) -> Result:
        monkeypatch.setattr("sys.argv", ["archspec", *map(str, arguments)])
        status = main.run()
        sys.stdout.flush()
        return Result(status, *capfd.readouterr())

    return call
