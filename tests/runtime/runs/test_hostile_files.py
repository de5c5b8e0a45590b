"""Files of a run directory may come from a stranger: whatever they hold, the error is one of archspec."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.diagnostics import ArchspecError
from archspec.runtime.runs.train_config import read_settings


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff",
        b"null",
        b"[]",
        b"9" * 5000,
        b'{"reference": 1e999}',
        b'{"a": NaN}',
    ],
)
def test_a_damaged_run_json_is_no_run(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "run.json").write_bytes(contents)
    with pytest.raises(ArchspecError) as caught:
        read_settings(tmp_path)
    assert caught.value.diagnostics[0].code == "not-a-run"
