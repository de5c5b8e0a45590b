"""A journal gives back every whole record, and nothing of one that a crash or the disk damaged."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.runtime.evaluation.inference.journal import _place, forget, journal

COUNT, CLASSES = 12, 3


def posteriors(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """What row i has: (i, i + 1/2, -i)."""
    return np.stack([rows, rows + 0.5, -rows], axis=1).astype(np.float32)


def write(key: object, *records: list[int]) -> list[int]:
    """Write records; returns the length of the file after each."""
    sizes = []
    with journal(key, COUNT, CLASSES, print) as kept:
        for number, record in enumerate(records):
            rows = np.array(record)
            kept.add(rows, posteriors(rows), math.nan if number == 0 else 0.5)
            sizes.append(_place(key).stat().st_size)
    return sizes


@settings(max_examples=60)
@given(order=st.permutations(range(COUNT)), cut=st.floats(0, 1), flip=st.booleans(), number=st.integers(0, 10**6))
def test_whatever_is_cut_off_or_damaged_the_records_before_it_count(
    order: list[int], cut: float, flip: bool, number: int
) -> None:
    key = ["law", number]
    records = [order[:5], order[5:6], order[6:11]]
    ends = write(key, *records)
    data = bytearray(_place(key).read_bytes())
    at = int(cut * (len(data) - 1))
    if flip:
        data[at] ^= 0xFF
    else:
        del data[at:]
    _place(key).write_bytes(data)
    whole = [row for record, end in zip(records, ends, strict=True) if end <= at for row in record]
    with journal(key, COUNT, CLASSES, print) as kept:
        found = np.flatnonzero(kept.done)
        assert sorted(whole) == found.tolist()
        assert np.array_equal(kept.posteriors[found], posteriors(found))
        rest = np.flatnonzero(~kept.done)
        kept.add(rest, posteriors(rest), 1.0)
    with journal(key, COUNT, CLASSES, print) as again:
        assert again.done.all()
        assert np.array_equal(again.posteriors, posteriors(np.arange(COUNT)))
    forget(key)


def test_the_pace_is_that_of_all_processes() -> None:
    """The first batch of each traces the graph, and is left out: 2 records of 3 rows at half a second."""
    write("pace", [0, 1, 2], [3, 4, 5])
    write("pace", [6, 7, 8], [9, 10, 11])
    with journal("pace", COUNT, CLASSES, print) as kept:
        assert kept.images_per_second == 6.0
    forget("pace")
    with journal("pace", COUNT, CLASSES, print) as kept:
        assert kept.images_per_second is None
    forget("pace")


def test_two_processes_at_once_do_not_mix() -> None:
    """The second keeps its results in memory and says so."""
    said: list[str] = []
    rows = np.arange(3)
    with journal("both", COUNT, CLASSES, said.append) as first:
        first.add(rows, posteriors(rows), 1.0)
        with journal("both", COUNT, CLASSES, said.append) as second:
            assert not second.done.any()
            second.add(rows + 3, posteriors(rows + 3), 1.0)
            assert second.done.sum() == 3
    assert len(said) == 1
    assert "another process runs the same evaluation" in said[0]
    with journal("both", COUNT, CLASSES, said.append) as again:
        assert np.flatnonzero(again.done).tolist() == [0, 1, 2]
    forget("both")


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "archspec").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said: list[str] = []
    with journal("none", COUNT, CLASSES, said.append) as kept:
        kept.add(np.arange(3), posteriors(np.arange(3)), 1.0)
        assert kept.done.sum() == 3
    assert len(said) == 1
    assert "cannot save partial results" in said[0]


def test_old_journals_are_forgotten(cache: Path) -> None:
    import os
    import time

    write("old", [0, 1])
    write("young", [0, 1])
    long_ago = time.time() - 40 * 86400
    os.utime(_place("old"), (long_ago, long_ago))
    forget()
    assert not _place("old").exists()
    assert _place("young").exists()
    forget("young")
