"""The thread that calls models, with models that are Python functions."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, TypeVar, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.runtime.serve.limits import Limits
from archspec.runtime.serve.models.batcher import Batcher, Job
from archspec.runtime.serve.models.loaded_version import LoadedVersion
from archspec.runtime.serve.request_error import RequestError

T = TypeVar("T")


class Doubling:
    """A version that doubles; it keeps the batches that it was called with."""

    def __init__(self, before: Callable[[Any], None] = lambda values: None) -> None:
        self.batches: list[list[float]] = []
        self._before = before

    def run(self, name: str, values: Any) -> dict[str, Any]:
        self.batches.append(values[:, 0].tolist())
        self._before(values)
        return {"out": 2 * values}


def in_a_thread(asked: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, in a thread of its own: browsers of other tests keep a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, asked).result()


def answers(
    version: Doubling, requests: list[list[float]], limits: Limits, *, deadline: float = 30.0, wide: bool = False
) -> list[Any]:
    """The answers to requests that are all there before the thread starts; an exception where one failed."""

    async def ask() -> list[Any]:
        batcher = Batcher(limits)
        loop = asyncio.get_running_loop()
        jobs = []
        for number, values in enumerate(requests):
            columns = 1 + (number % 2 if wide else 0)
            array = np.repeat(np.array(values, np.float32)[:, None], columns, axis=1)
            jobs.append(
                Job(cast("LoadedVersion", version), "f", array, time.monotonic() + deadline, loop.create_future())
            )
            batcher.submit(jobs[-1])
        batcher.start()
        found = await asyncio.gather(
            *(asyncio.wait_for(job.answer, 5 if deadline > 0 else 0.3) for job in jobs), return_exceptions=True
        )
        await loop.run_in_executor(None, batcher.stop)
        return [each["out"][:, 0].tolist() if isinstance(each, dict) else each for each in found]

    return in_a_thread(ask())


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(-99, 99), min_size=1, max_size=7), min_size=1, max_size=12),
    st.integers(1, 9),
    st.booleans(),
)
def test_every_request_gets_its_own_rows(requests: list[list[float]], size: int, wide: bool) -> None:
    """Whatever the sizes, and with two shapes that cannot share a batch."""
    version = Doubling()
    found = answers(version, requests, Limits(batch=size), wide=wide)
    assert found == [[2 * value for value in each] for each in requests]
    assert max(map(len, version.batches)) <= size
    assert sorted(chain(*version.batches)) == sorted(chain(*requests))


def test_waiting_requests_share_a_batch() -> None:
    version = Doubling()
    answers(version, [[1], [2, 3], [4], [5]], Limits(batch=4))
    assert version.batches == [[1, 2, 3, 4], [5]]


def test_a_request_that_fails_does_not_fail_others() -> None:
    def before(values: Any) -> None:
        if 13 in values:
            raise ValueError("/home/secret/model: unlucky")

    found = answers(Doubling(before), [[1], [13], [2]], Limits(batch=8))
    assert (found[0], found[2]) == ([2], [4])
    assert isinstance(found[1], RequestError)
    assert found[1].status == 500
    assert "secret" not in found[1].message


def test_out_of_memory_is_a_state_of_the_server() -> None:
    def before(values: Any) -> None:
        raise MemoryError

    (found,) = answers(Doubling(before), [[1]], Limits())
    assert (found.status, found.headers) == (503, {"Retry-After": "1"})


def test_a_request_whose_time_is_over_is_not_computed() -> None:
    version = Doubling()
    (found,) = answers(version, [[1]], Limits(), deadline=-1)
    assert isinstance(found, TimeoutError)  # of the test's own clock: its handler has answered long ago
    assert version.batches == []


def test_a_full_queue_refuses_until_there_is_room() -> None:
    batcher = Batcher(Limits(queue=4))
    with batcher.reserved(3):
        with pytest.raises(RequestError) as error, batcher.reserved(2):
            pass
        assert (error.value.status, error.value.headers) == (429, {"Retry-After": "1"})
        with batcher.reserved(1):
            assert batcher.rows == 4
    with batcher.reserved(9):  # alone
        pass
    assert batcher.rows == 0


def test_what_arrives_while_the_model_computes_is_the_next_batch() -> None:
    """An idle model starts at once, with the requests of one turn of the event loop."""
    go_on = threading.Event()
    version = Doubling(lambda values: go_on.wait(10))

    async def ask() -> None:
        batcher = Batcher(Limits())
        batcher.start()
        loop = asyncio.get_running_loop()

        def submit(*values: float) -> list[asyncio.Future[Any]]:
            jobs = [
                Job(cast("LoadedVersion", version), "f", array, time.monotonic() + 30, loop.create_future())
                for array in np.array(values, np.float32).reshape(-1, 1, 1)
            ]
            for job in jobs:
                batcher.submit(job)
            return [job.answer for job in jobs]

        await asyncio.sleep(0.01)  # idle
        first = submit(1, 2)
        while not version.batches:
            await asyncio.sleep(0.001)
        others = submit(3)
        await asyncio.sleep(0.01)
        others += submit(4, 5)
        go_on.set()
        await asyncio.gather(*first, *others)
        await loop.run_in_executor(None, batcher.stop)

    in_a_thread(ask())
    assert version.batches == [[1, 2], [3, 4, 5]]


def test_only_one_thread_calls_the_models() -> None:
    threads = set()
    answers(Doubling(lambda values: threads.add(threading.current_thread().name)), [[1]] * 9, Limits(batch=2))
    assert threads == {"archspec-model"}
