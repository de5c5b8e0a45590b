"""Files of the safetensors format, written by hand: what the library refuses is one error that names the file."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.diagnostics import ArchspecError
from archspec.runtime.weights.weight_file import safetensors_file


def write(path: Path, header: Any, data: bytes) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def entry(shape: list[int], start: int, stop: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def test_tensors_are_read_at_their_offsets(tmp_path: Path) -> None:
    a, b = np.arange(6, dtype="<f4").reshape(2, 3), np.array([1.5, -2], "<f2")
    header = {
        "__metadata__": {"format": "pt"},
        "b": entry([2], 24, 28, "F16"),
        "a": entry([2, 3], 0, 24),
        "c": entry([], 28, 30, "BF16"),
    }
    data = a.tobytes() + b.tobytes() + b"\xc0\x3f"
    with safetensors_file(write(tmp_path / "x.safetensors", header, data)) as state:
        assert state.keys() == {"a", "b", "c"}
        np.testing.assert_array_equal(state["a"].read(), a)
        np.testing.assert_array_equal(state["b"].read(), [1.5, -2])
        assert state["c"].shape == ()
        assert state["c"].read() == np.float32(1.5)


@pytest.mark.parametrize(
    ("header", "fact"),
    [
        ({"a": entry([2, 3], 0, 28)}, "invalid shape"),
        ({"a": entry([2, 4], 0, 32)}, "not fully covered"),
        ({"a": entry([2, 3], -24, 0)}, "invalid value: integer `-24`"),
        ({"a": {"dtype": "F32", "shape": [2, 3]}}, "missing field `data_offsets`"),
        ({"a": entry([2, 3], 10**30, 10**30 + 24)}, "invalid JSON"),
        ({"a": entry([2**40, 2**40], 0, 24)}, "overflow"),
        ({"a": entry([6], 0, 24), "b": entry([6], 0, 24)}, "invalid offset"),
        ([1], "not a dictionary"),
        (b"{", "cannot be read as a safetensors file"),
        (b"[" * 200_000, "cannot be read as a safetensors file"),
        (b'{"\xff": 1}', "cannot be read as a safetensors file"),
    ],
)
def test_what_is_wrong_with_a_header_is_said(header: Any, fact: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.safetensors", header, bytes(24))
    with pytest.raises(ArchspecError) as caught, safetensors_file(path):
        pass
    assert caught.value.diagnostics[0].code == "weights-damaged"
    assert fact in str(caught.value)


def test_numbers_of_8_bits_are_refused_by_their_type(tmp_path: Path) -> None:
    path = write(tmp_path / "x.safetensors", {"a": entry([2, 12], 0, 24, "F8_E5M2")}, bytes(24))
    with pytest.raises(ArchspecError, match="`a` is of the type F8_E5M2") as caught, safetensors_file(path):
        pass
    assert caught.value.diagnostics[0].code == "weights-quantized"


def test_a_header_longer_than_the_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", 2**62) + bytes(50))
    with pytest.raises(ArchspecError, match="its header has"), safetensors_file(path):
        pass
