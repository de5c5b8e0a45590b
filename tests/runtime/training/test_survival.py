"""kill -9 at random moments: the resumed run has bit-identical weights to an uninterrupted run.

20 kills. ARCHSPEC_KILLS=50 makes that 50, ARCHSPEC_SEED=1 chooses other moments.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("ARCHSPEC_KILLS", "20"))
SEED = os.environ.get("ARCHSPEC_SEED", "0")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-m", "tests.runtime.training.killing", str(folder), str(KILLS), SEED]
    root = Path(__file__).parents[3]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=900, check=False)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def test_killed_runs_end_with_the_same_bits(outcome: dict[str, Any]) -> None:
    """Weights, momentum, seeds, history.csv and checkpoints, with dropout, augmentation and shuffling."""
    assert outcome["failures"] == []
    assert len(outcome["killed"]) == KILLS
    assert {kill["replicas"] for kill in outcome["killed"]} == {1, 2}


def test_the_moments_fall_into_steps_checkpoints_and_ends_of_epochs(outcome: dict[str, Any]) -> None:
    """As the stack of each process said when it was killed."""
    places = {kill["in"] for kill in outcome["killed"]}
    assert places >= {"step", "checkpoint", "validation", "epoch's end"}


def test_the_plateau_dropped_the_rate_in_each_of_them(outcome: dict[str, Any]) -> None:
    """By 0.5, after an epoch without a gain: so that the law above holds across a drop."""
    assert outcome["rates"]
    for _, second, third in outcome["rates"]:
        assert (second, third) == pytest.approx((0.1, 0.05), rel=1e-6)


def test_runs_went_on_from_the_middle_of_epochs(outcome: dict[str, Any]) -> None:
    """Otherwise the law above would say little: an epoch has nine steps, and a checkpoint is due every four."""
    steps = {int(name[5:14]) for name in outcome["resumed_at"] if name}
    assert any(step % 9 for step in steps)


def test_deterministic_operations_give_the_same_bits_on_a_cpu(outcome: dict[str, Any]) -> None:
    """The run that the killed ones are compared with on one replica took only such; which have no clock, so that the
    wait for data is not measured."""
    assert outcome["deterministic"] == {"recorded": True, "data_wait": ""}


def test_a_killed_export_leaves_nothing_in_its_place(outcome: dict[str, Any]) -> None:
    assert outcome["export"] == {
        "killed": {"there": False, "half": 1},
        "again": {"status": 0, "whole": True, "half": 0},
    }


def test_the_comparison_can_fail(tmp_path: Path) -> None:
    """One bit of one weight is a difference."""
    import numpy as np

    from tests.runtime.training.same_bits import differences

    one = {"history": b"epoch", "weights": {"kernel": np.float32([1.0])}}
    other = {"history": b"epoch", "weights": {"kernel": np.nextafter(np.float32([1.0]), np.float32(2))}}
    assert differences(one, one) == []
    assert differences(one, other) == ["kernel"]
    assert differences(one, {**one, "history": b"epochs"}) == ["history"]
