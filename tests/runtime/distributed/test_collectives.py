"""Collectives over three workers, which are threads here, and the errors of TensorFlow that name a lost worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from archspec.diagnostics import ArchspecError
from archspec.runtime.distributed.cluster import Cluster
from archspec.runtime.distributed.collectives import Collectives
from archspec.runtime.distributed.worker_errors import lost_workers


@pytest.mark.parametrize(
    ("text", "expected"),
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
def test_tensorflow_names_the_lost_workers(text: str, expected: list[int]) -> None:
    assert lost_workers(text) == expected


def on_three_workers(work: Callable[[Collectives], Any]) -> list[Any]:
    """What each of three workers returns, or the error that it raises."""
    given: dict[int, npt.NDArray[np.float32]] = {}
    barrier = threading.Barrier(3, timeout=20)

    class Threads(Collectives):
        def all_reduce(self, array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            assert self.cluster is not None
            given[self.cluster.index] = array
            barrier.wait()
            total = given[0] + given[1] + given[2]
            barrier.wait()
            return total

    def run(index: int) -> Any:
        try:
            return work(Threads(None, Cluster(("a:1", "b:1", "c:1"), index)))
        except ArchspecError as error:
            return error.diagnostics[0]

    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(run, range(3)))


def of_worker(*values: Any) -> Callable[[Collectives], Any]:
    """The value of each worker."""
    return lambda collectives: values[collectives.cluster.index if collectives.cluster else 0]


def test_all_workers_get_the_values_of_all() -> None:
    flag, text = of_worker(False, True, True), of_worker("run \u00e9", "", "other")
    assert on_three_workers(lambda each: each.workers_where(flag(each))) == [[1, 2]] * 3
    assert on_three_workers(lambda each: each.any(flag(each))) == [True] * 3
    assert on_three_workers(lambda each: each.any(False)) == [False] * 3
    assert on_three_workers(lambda each: each.broadcast(text(each))) == ["run \u00e9"] * 3


@pytest.mark.parametrize(
    "values", [("x", "y", "y"), ("x", "x", "y"), ("x", "y", "z")], ids=["chief", "one worker", "all"]
)
def test_different_values_are_refused_on_all_workers(values: tuple[str, str, str]) -> None:
    value = of_worker(*values)
    for diagnostic in on_three_workers(lambda each: each.check_equal("images", value(each))):
        assert (diagnostic.code, diagnostic.message) == ("hosts-differ", "the workers do not have the same images")
    assert on_three_workers(lambda each: each.check_equal("images", "x")) == [None] * 3


def test_numbers_may_differ_by_rounding_only() -> None:
    numbers = np.array([1, 2, 0], np.float32)
    rounded, other = numbers * np.float32(1 + 1e-6), np.array([1, 2.002, 0], np.float32)
    for third, code in ((rounded, None), (other, "hosts-differ")):
        value = of_worker(numbers, numbers, third)
        found = on_three_workers(lambda each, value=value: each.check_close("weights", value(each)))
        assert [each and each.code for each in found] == [code] * 3


def test_a_single_worker_needs_no_collectives() -> None:
    alone = Collectives(None, None)
    alone.check_equal("images", "x")
    alone.barrier()
    assert (alone.any(True), alone.any(False), alone.broadcast("run")) == (True, False, "run")
