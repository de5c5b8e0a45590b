"""The reader of .npz files returns what NumPy returns, and refuses every damaged file without reserving its sizes."""

from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from archspec.runtime.system.npz_file import NpzError, open_npz

DTYPES = st.sampled_from(["uint8", ">i4", "float16", "float64", "bool", "U3", "S2", "complex64"])


def with_header(path: Path, header: str, contents: bytes = b"") -> Path:
    """An .npz file with one array `x` of a handwritten header of version 1."""
    text = header.encode("latin1") + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + contents
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", member)
    return path


def read(path: Path) -> np.ndarray:
    with open_npz(path) as file:
        return file.read("x")


@given(array=DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0))))
@settings(max_examples=60)
def test_arrays_are_read_as_by_numpy(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray) -> None:
    path = tmp_path_factory.getbasetemp() / "array.npz"
    for saved in (array, np.asfortranarray(array)):
        np.savez_compressed(path, x=saved)
        with np.load(path) as expected:
            found = read(path)
            np.testing.assert_array_equal(found, expected["x"])
            assert found.dtype == expected["x"].dtype
            assert found.flags.writeable


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (%s,)}" % ("9" * 40),
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2305843009213693952, 8)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-1, -1)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (0, %s)}" % ("9" * 40),
        "{'descr': '<U0', 'fortran_order': False, 'shape': (999999999999,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (True,)}",
        "{'descr': '|V9999999999', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': [('a', '|O')], 'fortran_order': False, 'shape': ()}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': ()}" + " " * 20_000,
        "(" * 8800,
        "-" * 9000 + "1",
        "{'a':" * 1500,
        "'''",
        "{'descr': 3L}",
        "\x00",
        "",
    ],
)
def test_hostile_headers_are_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(NpzError):
        read(with_header(tmp_path / "x.npz", header))


def test_what_follows_an_array_is_damage(tmp_path: Path) -> None:
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}"
    assert read(with_header(tmp_path / "x.npz", header, b"ab")).tolist() == [97, 98]
    for contents in (b"a", b"abc"):
        with pytest.raises(NpzError, match="is damaged"):
            read(with_header(tmp_path / "x.npz", header, contents))


@pytest.mark.parametrize("place", range(0, 500, 7))
def test_a_changed_byte_is_damage_or_changes_nothing(tmp_path: Path, place: int) -> None:
    x = np.arange(60, dtype=np.int32)
    file = io.BytesIO()
    np.savez_compressed(file, x=x)
    contents = bytearray(file.getvalue())
    contents[place % len(contents)] ^= 0x55
    (tmp_path / "x.npz").write_bytes(contents)
    with contextlib.suppress(NpzError):
        np.testing.assert_array_equal(read(tmp_path / "x.npz"), x)


def test_an_array_larger_than_the_free_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros(10**6))
    monkeypatch.setattr("archspec.runtime.system.npz_file.free_memory", lambda: 10**6)
    with pytest.raises(NpzError, match=r"needs 8.0 MB of memory, but 1.0 MB are free"):
        read(tmp_path / "x.npz")
