"""The strategy over the devices of a run."""

from __future__ import annotations

import pytest

from archspec.diagnostics import ArchspecError
from archspec.runtime.distributed.strategy import describe, make_strategy


def test_one_device_is_one_replica_and_its_strategy_is_cached() -> None:
    strategy = make_strategy("all")
    assert strategy.num_replicas_in_sync == 1
    assert describe(strategy) in ("1 CPU", "1 GPU")
    assert make_strategy(1) is strategy


def test_more_logical_devices_than_make_sense_are_refused_before_they_are_made() -> None:
    with pytest.raises(
        ArchspecError, match="the CPU can be split into at most 32 logical devices, but 33 are requested"
    ):
        make_strategy("cpu:33")
