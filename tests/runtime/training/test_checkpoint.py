"""Checkpoints: what is written comes back to the bit, what is damaged is found out, and the last two are kept."""

from __future__ import annotations

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.diagnostics import ArchspecError
from archspec.runtime.training.records.checkpoint import (
    Checkpoint,
    CheckpointInterval,
    Checkpoints,
    DamagedCheckpointError,
    files,
    latest,
    non_finite,
    parse_interval,
    read_checkpoint,
    restore,
    write_checkpoint,
)
from archspec.runtime.weights.weight_file import safetensors_file

DTYPES = (
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64", "bfloat16", "bool"),
)
STATE = {"progress": {"epoch": 3, "learning_rate": 0.1 + 0.2}, "rows": [{"loss": 1 / 3}], "name": "Größe"}


def arrays() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "conv/kernel": generator.normal(size=(3, 2, 5, 7)).astype(np.float32),
        "iterations": np.array(123456789012, np.int64),
        "seed": np.array([1, 2**32 - 1], np.uint32),
        "empty": np.zeros((0, 4), np.float32),
        "transposed": generator.normal(size=(3, 5)).astype(np.float32).T,
    }


def bits(array: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    return array.dtype.name, array.shape, array.tobytes()


@settings(max_examples=60)
@given(data=st.data())
def test_arrays_and_state_come_back_to_the_bit(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Of every type, NaN and infinity included."""
    path = tmp_path_factory.mktemp("any") / "any.safetensors"
    written = {}
    for number in range(data.draw(st.integers(0, 4))):
        name = data.draw(st.sampled_from(DTYPES))
        shape = tuple(data.draw(st.lists(st.integers(0, 4), max_size=4)))
        dtype = np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
        size = int(np.prod(shape, dtype=int)) * dtype.itemsize
        raw = data.draw(st.binary(min_size=size, max_size=size))
        raw = bytes(byte & 1 for byte in raw) if name == "bool" else raw
        written[f"{number}/é"] = np.frombuffer(raw, dtype).reshape(shape)
    state = data.draw(st.dictionaries(st.text(), st.floats(allow_nan=False) | st.integers() | st.text()))
    write_checkpoint(path, Checkpoint(written, state))
    back = read_checkpoint(path)
    assert [(name, bits(array)) for name, array in back.arrays.items()] == [
        (name, bits(array)) for name, array in written.items()
    ]
    assert back.state == state


def test_arrays_in_any_memory_order_come_back(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a.safetensors", Checkpoint(arrays(), STATE))
    back = read_checkpoint(tmp_path / "a.safetensors")
    assert {name: bits(array) for name, array in back.arrays.items()} == {n: bits(a) for n, a in arrays().items()}


def test_other_readers_of_safetensors_understand_it(tmp_path: Path) -> None:
    given = {name: array for name, array in arrays().items() if array.dtype != np.uint32}
    write_checkpoint(tmp_path / "a.safetensors", Checkpoint(given, STATE))
    with safetensors_file(tmp_path / "a.safetensors") as tensors:
        assert {name: tensor.shape for name, tensor in tensors.items()} == {n: a.shape for n, a in given.items()}
        assert np.array_equal(tensors["conv/kernel"].read(), given["conv/kernel"])


@settings(max_examples=80)
@given(where=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255), cut=st.booleans())
def test_any_damage_is_found_out(
    where: float, change: int, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any byte changed, or the file cut short anywhere."""
    path = tmp_path_factory.mktemp("damaged") / "a.safetensors"
    write_checkpoint(path, Checkpoint(arrays(), STATE))
    whole = bytearray(path.read_bytes())
    place = int(where * len(whole))
    if cut:
        path.write_bytes(whole[:place])
    else:
        if whole[place : place + 1] == b" ":  # the blanks that fill up the header say nothing
            return
        whole[place] ^= change
        path.write_bytes(whole)
    with pytest.raises(DamagedCheckpointError):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\xff" * 64, b"\x02" + b"\0" * 7 + b"[]", b"\x02" + b"\0" * 7 + b"{}"]
)
def test_what_is_no_checkpoint_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DamagedCheckpointError):
        read_checkpoint(tmp_path / "a")
    with pytest.raises(DamagedCheckpointError, match="no such file"):
        read_checkpoint(tmp_path / "b")


def test_the_last_two_are_kept_and_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, CheckpointInterval())
    for step in (0, 9, 10, 1000):
        checkpoints.save(step, Checkpoint(arrays(), {"step": step}))
    assert [path.name for path in files(tmp_path)] == ["step-000001000.safetensors", "step-000000010.safetensors"]
    notes: list[str] = []
    assert latest(tmp_path, notes.append).state == {"step": 1000}
    assert notes == []
    newest, before = files(tmp_path)
    newest.write_bytes(newest.read_bytes()[:-1] + b"\x7f")
    assert latest(tmp_path, notes.append).state == {"step": 10}
    assert notes == [f"`{newest}` cannot be used: its checksum is wrong; resuming from `{before.name}`"]
    before.write_bytes(b"")
    with pytest.raises(ArchspecError) as caught:
        latest(tmp_path, notes.append)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "no-checkpoint"
    assert len(diagnostic.notes) == 2


def test_what_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full at the flush, which is the last moment at which it can be."""
    checkpoints = Checkpoints(tmp_path, CheckpointInterval())
    checkpoints.save(1, Checkpoint(arrays(), STATE))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ArchspecError) as caught:
        checkpoints.save(2, Checkpoint(arrays(), STATE))
    assert caught.value.diagnostics[0].code == "cannot-write"
    assert "no space left on device" in caught.value.diagnostics[0].message
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-000000001.safetensors"]


@pytest.mark.parametrize(
    ("text", "every"),
    [
        (None, CheckpointInterval()),
        ("500steps", CheckpointInterval(steps=500)),
        ("1 step", CheckpointInterval(steps=1)),
        ("90s", CheckpointInterval(seconds=90)),
        ("10m", CheckpointInterval(seconds=600)),
        ("1.5h", CheckpointInterval(seconds=5400)),
    ],
)
def test_intervals_are_steps_or_times(text: str | None, every: CheckpointInterval) -> None:
    assert parse_interval(text) == every


@pytest.mark.parametrize("text", ["", "10", "ten minutes", "0steps", "0m", "-5m", "1.5steps", "5d"])
def test_other_intervals_are_refused(text: str) -> None:
    with pytest.raises(ArchspecError) as caught:
        parse_interval(text)
    assert caught.value.diagnostics[0].code == "checkpoint-every"


def test_checkpoints_are_due_by_step_or_by_clock(tmp_path: Path) -> None:
    assert [step for step in range(1, 10) if Checkpoints(tmp_path, CheckpointInterval(steps=3)).due(step)] == [3, 6, 9]
    assert not any(Checkpoints(tmp_path, CheckpointInterval()).due(step) for step in range(1, 10))
    now = [0.0]
    timed = Checkpoints(tmp_path, CheckpointInterval(seconds=60), clock=lambda: now[0])
    now[0] = 59.0
    assert not timed.due(1)
    now[0] = 61.0
    assert timed.due(2)
    timed.save(2, Checkpoint({}, {}))
    assert not timed.due(3)


class Variable:
    """The part of Keras's that restoring needs."""

    def __init__(self, value: np.ndarray) -> None:
        self.value, self.shape, self.dtype = value, value.shape, value.dtype.name

    def assign(self, value: np.ndarray) -> None:
        self.value = value


def test_variables_of_another_network_are_refused_and_left_alone() -> None:
    mine = [Variable(np.zeros((2, 3), np.float32)), Variable(np.zeros((), np.int64))]
    for others in (
        {"kernel": np.ones((2, 3), np.float32)},
        {"kernel": np.ones((2, 3), np.float32), "n": np.ones((), np.int32)},
        {"kernel": np.ones((3, 2), np.float32), "n": np.ones((), np.int64)},
    ):
        with pytest.raises(ArchspecError) as caught:
            restore(mine, others)
        assert caught.value.diagnostics[0].code == "checkpoint-differs"
        assert not mine[0].value.any()
    restore(mine, {"kernel": np.ones((2, 3), np.float32), "n": np.array(7)})
    assert (mine[0].value.sum(), mine[1].value) == (6, 7)


def test_what_is_not_finite_is_named() -> None:
    given = {**arrays(), "nan": np.float32([1, np.nan]), "inf": np.array(np.inf, ml_dtypes.bfloat16)}
    assert non_finite(given) == ["nan", "inf"]


def test_no_state_is_ever_unpickled(tmp_path: Path) -> None:
    """The header is JSON from its first to its last byte."""
    write_checkpoint(tmp_path / "a", Checkpoint(arrays(), STATE))
    raw = (tmp_path / "a").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert json.loads(header["__metadata__"]["state"]) == STATE
