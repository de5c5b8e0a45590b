"""PyTorch's files are read without torch, and nothing in them is run."""

import collections
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.diagnostics import ArchspecError
from archspec.runtime.models.untrusted.file_limits import pickle_steps
from archspec.runtime.weights.torch_file import torch_file
from tests.runtime.weights.torch_writer import Call, Global, Storage, save, save_old

ARRAYS = {
    "conv.weight": np.arange(24, dtype="float32").reshape(4, 3, 2, 1),
    "conv.bias": np.array([0.5, -1, 2, 3], "float64"),
    "bn.num_batches_tracked": np.array(7, "int64"),
    "half": np.array([[1.5, -2]], "float16"),
}


def read(path: Path) -> dict[str, Any]:
    with torch_file(path) as sets:
        return {name: tensor.read() for name, tensor in sets[0].named().items()}


def refusal(path: Path) -> str:
    with pytest.raises(ArchspecError) as caught:
        read(path)
    return str(caught.value)


@pytest.mark.parametrize("write", [save, save_old])
@pytest.mark.parametrize(
    "wrap",
    [
        collections.OrderedDict,
        dict,
        lambda state: {"epoch": 3, "best": 0.7, "state_dict": {f"module.{name}": a for name, a in state.items()}},
    ],
)
def test_a_state_dict_is_read_as_it_was_written(write: Any, wrap: Any, tmp_path: Path) -> None:
    found = read(write(tmp_path / "x.pth", wrap(ARRAYS)))
    assert list(found) == list(ARRAYS)  # its order is what layers are matched by
    for name, array in ARRAYS.items():
        assert found[name].dtype == "float32"
        np.testing.assert_array_equal(found[name], array)


def test_a_transposed_tensor_is_a_view_of_its_storage(tmp_path: Path) -> None:
    whole = np.arange(6, dtype="float32").reshape(2, 3)
    assert not whole.T.flags.c_contiguous
    np.testing.assert_array_equal(read(save(tmp_path / "x.pth", {"a": whole.T}))["a"], [[0, 3], [1, 4], [2, 5]])


def test_bfloat16_is_the_upper_half_of_a_float32() -> None:
    from archspec.runtime.weights.torch_file import array_of

    numbers = np.array([[1.0, -2.5], [0.15625, 3e38]], "float32")
    upper = (numbers.view("uint32") >> 16).astype("<u2")
    np.testing.assert_allclose(array_of(upper.tobytes(), "bfloat16", (2, 2), 0, (2, 1)), numbers, rtol=1 / 128)
    assert array_of(upper.tobytes(), "bfloat16", (2, 2), 0, (2, 1))[0].tolist() == [1.0, -2.5]


@pytest.mark.parametrize("write", [save, save_old])
@pytest.mark.parametrize(
    ("module", "name"), [("posix", "system"), ("builtins", "eval"), ("torch", "load"), ("functools", "partial")]
)
def test_a_file_that_calls_anything_is_refused_and_nothing_is_called(
    write: Any, module: str, name: str, tmp_path: Path
) -> None:
    mark = tmp_path / "it-ran"
    path = write(
        tmp_path / "x.pth", {"conv.weight": ARRAYS["conv.weight"], "z": Call(Global(module, name), f"touch {mark}")}
    )
    text = refusal(path)
    assert text.startswith("error[weights-unsafe]")
    assert f"`{module}.{name}`" in text
    assert not mark.exists()


def test_the_malicious_file_of_that_test_does_run_under_python(tmp_path: Path) -> None:
    """The twin, which proves that the test above can fail."""
    mark = tmp_path / "it-ran"
    path = save(tmp_path / "x.pth", Call(Global(os.name, "system"), f"touch {mark}"))
    with zipfile.ZipFile(path) as archive:
        pickle.loads(archive.read("archive/data.pkl"))
    assert mark.exists()


class Reduced:
    """Its pickle calls `print` through the steps of protocol 4: STACK_GLOBAL, NEWOBJ and the like."""

    def __reduce__(self) -> Any:
        return print, ("it ran",)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_every_protocol_of_pickle_is_refused_alike(
    protocol: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Reduced(), protocol=protocol))
    assert "weights-unsafe" in refusal(path)
    assert "it ran" not in capsys.readouterr().out


@pytest.mark.parametrize(("offset", "strides"), [(0, (2, 3)), (1, (3, 1)), (10**9, (3, 1)), (0, (2**40, 2**40))])
def test_a_view_beyond_its_storage_is_refused(offset: int, strides: tuple[int, int], tmp_path: Path) -> None:
    storage = Storage(np.zeros(6, "float32"), "0")
    rebuild = Global("torch._utils", "_rebuild_tensor_v2")
    path = save(tmp_path / "x.pth", {"zeros": storage.array, "a": Call(rebuild, storage, offset, (2, 3), strides)})
    with torch_file(path) as sets, pytest.raises(ArchspecError, match="past the end of its data"):
        sets[0].tensors["a"].read()


def test_a_storage_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "whole.pth", {"a": np.zeros(1000, "float32")})
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(tmp_path / "x.pth", "w") as cut:
        cut.writestr("archive/data.pkl", whole.read("archive/data.pkl"))
        cut.writestr("archive/data/0", bytes(3999))
    assert "truncated" in refusal(tmp_path / "x.pth")
    old = save_old(tmp_path / "old.pth", {"a": np.zeros(1000, "float32")})
    old.write_bytes(old.read_bytes()[:-1])
    assert "truncated" in refusal(old)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 no zip", b"\x80\x02}q\x00.", pickle.dumps({"a": 1}), b"\x80\x02" + b"(" * 100]
)
def test_other_files_are_named_as_such(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    assert refusal(path).startswith(("error[not-weights]", "error[weights-damaged]"))


def test_a_state_dict_without_tensors_is_named_as_such(tmp_path: Path) -> None:
    assert "contains no tensors" in refusal(save(tmp_path / "x.pth", {"epoch": 3}))


@given(st.data())
def test_damaged_pickles_end_in_one_error(data: st.DataObject) -> None:
    """Whatever bytes are changed: a state dict, or an ArchspecError."""
    import io
    import tempfile

    from tests.runtime.weights.torch_writer import TorchPickler

    file = io.BytesIO()
    TorchPickler(file).dump({"conv.weight": np.zeros((2, 3), "float32"), "conv.bias": np.zeros(2, "float32")})
    text = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.pth"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", bytes(text))
            for key in "01":
                archive.writestr(f"a/data/{key}", bytes(24))
        codes = []
        try:
            read(path)
        except ArchspecError as error:
            codes = [diagnostic.code for diagnostic in error.diagnostics]
        assert set(codes) <= {"not-weights", "weights-damaged", "weights-unsafe"}


def archived(path: Path, pickled: bytes, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", pickled)
        for name, contents in members.items():
            archive.writestr(f"x/{name}", contents)
    return path


@pytest.mark.parametrize(
    "pickled",
    [
        # t = (t, t), 60 times, as a key: its hash would take 2 ** 60 steps
        b"\x80\x02}(K\x01" + b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(60)) + b"K\x01u.",
        # 10,000 copies of a dictionary of 1,000 items
        b"\x80\x02ccollections\nOrderedDict\nq\x00}q\x01("
        + b"".join(b"M" + i.to_bytes(2, "little") + b"N" for i in range(1000))
        + (b"u]q\x02(" + b"h\x00h\x01\x85R" * 10_000 + b"e."),
        # dictionaries that contain the one before twice, 60 deep
        b"\x80\x02}q\x01" + b"}q\x00(X\x01\x00\x00\x00ah\x01X\x01\x00\x00\x00bh\x01uq\x01" * 60 + b".",
        b"\x80\x02(" + b"]" * 3_000_000 + b".",
        # the name of a function is t = (t, t), 60 times: its text would have 2 ** 60 characters
        b"\x80\x04K\x01"
        + (b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(60)) + b"X\x01\x00\x00\x00a\x93."),
    ],
    ids=["hash", "copies", "nested", "instructions", "name"],
)
def test_a_pickle_that_grows_is_refused_at_once(pickled: bytes, tmp_path: Path) -> None:
    assert refusal(archived(tmp_path / "x.pth", pickled)).startswith(("error[weights-damaged]", "error[not-weights]"))


def test_a_large_pickle_of_instructions_alone_is_refused(tmp_path: Path) -> None:
    """The limit does not grow with a file forever: 17,000 tensors have 45 instructions each."""
    assert pickle_steps(1 << 40) == pickle_steps(1 << 30) >= 17_000 * 45
    (tmp_path / "x.pkl").write_bytes(b"\x80\x02N" + b"\x85" * 1_000_000 + b".")
    assert "its pickle has too many instructions" in refusal(tmp_path / "x.pkl")


def test_a_member_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path) -> None:
    path = archived(tmp_path / "x.pth", pickle.dumps({}), byteorder=bytes(10**6))
    assert "`x/byteorder` would unpack to 1,000,000 bytes, more than 64" in refusal(path)
