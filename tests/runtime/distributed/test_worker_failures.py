"""Workers over loopback that lose each other, are stopped, find values that are not finite, and resume."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runtime.distributed.processes import outcome_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return outcome_of("failures", tmp_path_factory.mktemp("workers"))


def test_a_killed_worker_stops_the_others_within_a_minute_and_is_named(outcome: dict[str, Any]) -> None:
    (status, ended, (code, message, help, *_)), (dead, died, _) = outcome["killed"]
    assert (status, dead) == (1, -9)
    assert ended - died < 60
    assert code == "worker-lost"
    assert message.startswith("worker 1 (127.0.0.1:")
    assert "archspec.resume(" in help


def test_a_frozen_chief_stops_the_others_within_a_minute(outcome: dict[str, Any]) -> None:
    (killed, _, _), (status, ended, (code, message, *_)) = outcome["frozen chief"]
    assert (killed, status, code) == (-9, 1, "worker-lost")
    assert ended < 60
    assert message.startswith("worker 0 (127.0.0.1:")


def test_both_other_workers_of_three_name_the_killed_one(outcome: dict[str, Any]) -> None:
    """Not the worker that stopped because of it."""
    (first, died, _), others = outcome["killed of three"][1], outcome["killed of three"][::2]
    assert first == -9
    for status, ended, (code, message, *_) in others:
        assert (status, code) == (1, "worker-lost")
        assert ended - died < 60
        assert message.startswith("worker 1 (127.0.0.1:")


def test_a_signal_to_one_worker_stops_all_and_the_resumed_run_is_bit_identical(outcome: dict[str, Any]) -> None:
    """SIGTERM reaches worker 1 alone, in a run that was killed before and resumed."""
    assert [process[0] for process in outcome["stopped"]] == [143, 143]
    assert [process[0] for process in outcome["resumed"]] == [0, 0]
    assert outcome["differences"] == []


def test_a_killed_evaluator_is_named_and_finished_batches_are_kept(outcome: dict[str, Any]) -> None:
    (status, ended, (code, message, help, *_)), (dead, died, _) = outcome["evaluator killed"]
    assert (status, dead) == (1, -9)
    assert ended - died < 60
    assert code == "worker-lost"
    assert message.startswith("worker 1 (127.0.0.1:")
    assert "finished batches are kept" in help
    assert outcome["kept"] == 2
    assert outcome["posteriors"] < 1e-6
    (status, _, lines), (other, _, lines_of_other) = outcome["evaluated again"]
    assert (status, other, outcome["left"]) == (0, 0, 0)
    done, done_of_other = (
        next(
            int(line.split()[0])
            for line in each
            if line.endswith("of 225 images were done before the last run was stopped")
        )
        for each in (lines, lines_of_other)
    )
    assert 16 <= done < 225  # worker 0 did not end its share before it looked
    assert done_of_other == 16


def test_a_nan_loss_names_the_layer_on_all_workers(outcome: dict[str, Any]) -> None:
    """As with one worker: `tests.runtime.training.test_resume` says why it is that layer. Both repeat the steps."""
    for status, _, (code, message, _, layer, greatest, kept) in outcome["diverged"]:
        assert (status, code) == (1, "diverged")
        assert message.endswith("at step 2 of 9 in epoch 2")
        assert layer == "`three` is the first layer whose output is not finite"
        assert greatest.endswith("of `two`")
        assert kept.startswith("the checkpoint of step 9 is kept")
    assert outcome["diverged"][0][2] == outcome["diverged"][1][2]


def test_a_worker_can_exit_right_after_the_barrier(outcome: dict[str, Any]) -> None:
    for pair in outcome["barrier"]:
        assert [(status, said) for status, _, said in pair] == [(0, []), (0, ["text of worker 0", "[1]"])]


def test_a_non_finite_variable_on_one_worker_stops_all(outcome: dict[str, Any]) -> None:
    (status, _, said), (status_of_other, _, said_of_other) = outcome["non-finite on one"]
    assert (status, said[:2]) == (1, ["diverged", "a variable of another worker is not finite after step 8"])
    assert (status_of_other, said_of_other[:2]) == (1, ["diverged", "`kernel` is not finite after step 8"])


def test_without_a_shared_folder_a_nan_loss_names_no_layer(outcome: dict[str, Any]) -> None:
    for status, _, (code, message, _, *notes) in outcome["diverged apart"]:
        assert (status, code) == (1, "diverged"), (message, notes)
        assert message.endswith("at step 2 of 9 in epoch 2")
        assert notes == ["to find the layer, all workers must be able to read the checkpoints, in one shared folder"]
