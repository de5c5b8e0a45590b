"""Files of the safetensors format, read by hand."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.diagnostics import ArchspecError
from archspec.runtime.weights.safetensors import safetensors_file


def write(path: Path, header: Any, data: bytes) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def entry(shape: list[int], start: int, stop: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def test_tensors_are_read_at_their_offsets(tmp_path: Path) -> None:
    a, b = np.arange(6, dtype="<f4").reshape(2, 3), np.array([1.5, -2], "<f2")
    header = {"__metadata__": {"format": "pt"}, "b": entry([2], 24, 28, "F16"), "a": entry([2, 3], 0, 24)}
    with safetensors_file(write(tmp_path / "x.safetensors", header, a.tobytes() + b.tobytes())) as state:
        assert list(state) == ["b", "a"]
        np.testing.assert_array_equal(state["a"].read(), a)
        np.testing.assert_array_equal(state["b"].read(), [1.5, -2])


@pytest.mark.parametrize(
    ("header", "fact"),
    [
        ({"a": entry([2, 3], 0, 28)}, "`a` is cut short"),
        ({"a": entry([2, 4], 0, 32)}, "`a` is cut short"),
        ({"a": entry([2, 3], -24, 0)}, "impossible sizes"),
        ({"a": entry([2, 3], 0, 24, "F8_E5M2")}, "does not know 'F8_E5M2'"),
        ({"a": {"dtype": "F32", "shape": [2, 3]}}, "lacks or does not know 'data_offsets'"),
        ([1], "no object"),
        (b"{", "not a safetensors file"),
        (b"[" * 200_000, "not a safetensors file"),
    ],
)
def test_what_is_wrong_with_a_header_is_said(header: Any, fact: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.safetensors", header, bytes(24))
    with pytest.raises(ArchspecError) as caught, safetensors_file(path):
        pass
    assert caught.value.diagnostics[0].code == "not-weights"
    assert fact in str(caught.value)


def test_a_header_longer_than_the_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", 2**62) + bytes(50))
    with pytest.raises(ArchspecError, match="its header would have"), safetensors_file(path):
        pass
