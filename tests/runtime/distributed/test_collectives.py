"""What processes of several hosts tell each other: sums, TensorFlow's errors, and messages of its service."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.diagnostics import ArchspecError
from archspec.runtime.distributed.cluster import Hosts
from archspec.runtime.distributed.collectives import Agreement
from archspec.runtime.distributed.coordination import field, fields
from archspec.runtime.distributed.worker_errors import lost


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # TensorFlow 2.21, shortened
        ("aborted by: Deadline Exceeded\n\nRPC: /tensorflow.CoordinationService/Heartbeat\n", [0]),
        (
            "aborted by: Error reported from /job:worker/task:2: The following tasks are unhealthy (stopped sending "
            "heartbeats):\n/job:worker/replica:0/task:1\n/job:worker/replica:0/task:2\nThe tasks have crashed.",
            [1, 2],
        ),
        ("error information from remote target /job:worker/replica:0/task:1 while calling /RecvBuf:", [1]),
        ("Collective ops is aborted", []),
    ],
)
def test_tensorflow_says_who_is_gone(said: str, expected: list[int]) -> None:
    assert lost(said) == expected


@given(st.lists(st.tuples(st.integers(1, 1000), st.one_of(st.integers(0, 2**63), st.binary(max_size=300))), max_size=8))
def test_messages_are_read_as_they_were_written(message: list[tuple[int, int | bytes]]) -> None:
    assert list(fields(b"".join(field(*each) for each in message))) == message


def test_messages_are_encoded_as_protocol_buffers_say() -> None:
    """The two examples of the encoding guide at protobuf.dev: `a = 150`, and `b = "testing"`."""
    assert field(1, 150) == bytes.fromhex("089601")
    assert field(2, b"testing") == bytes.fromhex("120774657374696e67")


class Echo(Agreement):
    """Three processes of which the other two say what they are told to."""

    def __init__(self, *said: float, sums: Sequence[np.ndarray] = ()) -> None:
        super().__init__(None, Hosts(("a:1", "b:1", "c:1"), 0))
        self.said, self.sums = list(said), list(sums)

    def total(self, number: float) -> float:
        return number + self.said.pop(0)

    def sum(self, array: np.ndarray) -> np.ndarray:
        return self.sums.pop(0)


def test_processes_that_were_given_different_things_stop() -> None:
    import hashlib

    mine = int.from_bytes(hashlib.sha256(repr("x").encode()).digest()[:2], "little")
    Echo(2 * mine, 0).same("images", "x")
    for others in ((2 * mine + 1, 0, 0, 0), (2 * mine, 1, 0, 0)):  # seen here, or by another one alone; then they part
        with pytest.raises(ArchspecError) as caught:
            Echo(*others).same("images", "x")
        assert caught.value.diagnostics[0].code == "hosts-differ"
    numbers, other = np.array([1, 2, 0], np.float32), np.array([1, 2.002, 0], np.float32)
    Echo(0, sums=[3 * numbers * np.float32(1 + 1e-6)]).close("weights", numbers)  # rounded in another way
    for sums, others in ((2 * numbers + other, (0, 0, 0)), (3 * numbers, (1, 0, 0))):
        with pytest.raises(ArchspecError) as caught:
            Echo(*others, sums=[sums]).close("weights", numbers)
        assert caught.value.diagnostics[0].message == "the workers do not have the same weights"
    assert Echo(1).any(False)
    assert not Echo(0).any(False)
    alone = Agreement(None, None)
    alone.same("images", "x")
    assert (alone.any(True), alone.any(False)) == (True, False)
