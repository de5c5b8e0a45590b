"""Workers over loopback that train and evaluate together."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runtime.distributed.processes import outcome_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return outcome_of("together", tmp_path_factory.mktemp("workers"))


def test_two_workers_train_to_the_weights_of_one(outcome: dict[str, Any]) -> None:
    """With batch normalization, momentum, weight decay, accumulation, clipping by the global norm, label smoothing, a
    weighted class, and a last batch of three images; all variables, and all figures of history.csv."""
    assert [process[0] for process in outcome["two"]] == [0, 0]
    assert outcome["distance"] < 1e-5
    assert outcome["history"] < 1e-5


def test_only_the_chief_writes(outcome: dict[str, Any]) -> None:
    chief, other = (process[2] for process in outcome["two"])
    assert any(line.startswith("writing ") for line in chief)
    assert "worker 0 writes the files" in other
    assert (
        "small: 1,048 parameters (1,036 trained), 1,347 training images and 450 validation images of 10 classes, "
        "on 2 workers with 1 CPU each" in chief
    )


def test_two_workers_evaluate_to_the_posteriors_of_one(outcome: dict[str, Any]) -> None:
    """Two protocols and their ensemble: both workers get the posteriors of all 450 images, and score half of them."""
    assert [process[0] for process in outcome["evaluated"] + outcome["evaluated by two"]] == [0, 0, 0]
    assert outcome["posteriors"] < 1e-6
    for worker, (_, _, lines) in enumerate(outcome["evaluated by two"]):
        done = [line for line in lines if f"worker {worker} " in line and "finished its 225 images" in line]
        assert len(done) == 2


def test_different_networks_are_refused_before_they_are_built(outcome: dict[str, Any]) -> None:
    for status, _, (code, message, *_) in outcome["different networks"]:
        assert (status, code, message) == (1, "hosts-differ", "the workers do not have the same network")
