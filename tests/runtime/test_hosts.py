"""Several hosts: who they are, and two processes over loopback that train, lose each other, and go on."""

from __future__ import annotations

import errno
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.diagnostics import ArchspecError
from archspec.runtime.agreement import Agreement
from archspec.runtime.coordination import field, fields
from archspec.runtime.hosts import Hosts, find_hosts, waiting
from archspec.runtime.lost_workers import lost
from tests.runtime.together import free_ports

TWO = ("one:2000", "two:2000")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.runtime.together", str(tmp_path_factory.mktemp("hosts"))]
    root = Path(__file__).parents[2]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def test_two_processes_train_to_the_weights_of_one(outcome: dict[str, Any]) -> None:
    """With batch normalization, momentum, weight decay, accumulation, clipping by the global norm, label smoothing, a
    weighted class, and a last batch of three images; all variables, and all figures of history.csv."""
    assert [process[0] for process in outcome["two"]] == [0, 0]
    assert outcome["distance"] < 1e-5
    assert outcome["history"] < 1e-5


def test_a_worker_that_dies_stops_the_others_within_a_minute_by_name(outcome: dict[str, Any]) -> None:
    (status, ended, (code, message, help, *_)), (dead, died, _) = outcome["killed"]
    assert (status, dead) == (1, -9)
    assert ended - died < 60
    assert code == "worker-lost"
    assert message.startswith("worker 1 (127.0.0.1:")
    assert "--resume" in help


def test_a_chief_that_stands_still_stops_the_others_within_a_minute(outcome: dict[str, Any]) -> None:
    (killed, _, _), (status, ended, (code, message, *_)) = outcome["frozen chief"]
    assert (killed, status, code) == (-9, 1, "worker-lost")
    assert ended < 60
    assert message.startswith("worker 0 (127.0.0.1:")


def test_of_three_workers_the_one_that_died_is_named_by_both_others(outcome: dict[str, Any]) -> None:
    """Not the one that ended because it died."""
    (first, died, _), others = outcome["killed of three"][1], outcome["killed of three"][::2]
    assert first == -9
    for status, ended, (code, message, *_) in others:
        assert (status, code) == (1, "worker-lost")
        assert ended - died < 60
        assert message.startswith("worker 1 (127.0.0.1:")


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


def test_all_end_when_one_is_asked_to_and_go_on_to_the_same_bits(outcome: dict[str, Any]) -> None:
    """SIGTERM reaches worker 1 alone; the run was killed before that, and resumed."""
    assert [process[0] for process in outcome["asked to end"]] == [143, 143]
    assert [process[0] for process in outcome["resumed"]] == [0, 0]
    assert outcome["differences"] == []


def test_two_processes_evaluate_to_the_figures_of_one(outcome: dict[str, Any]) -> None:
    """450 images under two protocols and their ensemble: posteriors of all, on both workers; each scored half."""
    assert [process[0] for process in outcome["evaluated"] + outcome["evaluated by two"]] == [0, 0, 0]
    assert outcome["posteriors"] < 1e-6
    for worker, (_, _, lines) in enumerate(outcome["evaluated by two"]):
        done = [line for line in lines if f"worker {worker} " in line and "its 225 images are done" in line]
        assert len(done) == 2


def test_an_evaluator_that_dies_is_named_and_what_was_done_is_kept(outcome: dict[str, Any]) -> None:
    (status, ended, (code, message, help, *_)), (dead, died, _) = outcome["evaluator killed"]
    assert (status, dead) == (1, -9)
    assert ended - died < 60
    assert code == "worker-lost"
    assert message.startswith("worker 1 (127.0.0.1:")
    assert "what is done is kept" in help
    assert outcome["kept"] == 2
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


def test_a_loss_that_is_no_number_names_the_layer_on_all(outcome: dict[str, Any]) -> None:
    """As on one host: `tests.runtime.test_resume` says why it is that layer. Both take the steps again."""
    for status, _, (code, message, _, layer, greatest, kept) in outcome["diverged"]:
        assert (status, code) == (1, "diverged")
        assert message.endswith("at step 2 of 9 in epoch 2")
        assert layer == "`three` is the first layer whose output is not finite"
        assert greatest.endswith("of `two`")
        assert kept.startswith("the checkpoint of step 9 is kept")
    assert outcome["diverged"][0][2] == outcome["diverged"][1][2]


def test_a_process_that_ends_first_leaves_no_other_waiting_for_it(outcome: dict[str, Any]) -> None:
    for pair in outcome["parted"]:
        assert [(status, said) for status, _, said in pair] == [(0, []), (0, ["of worker 0", "[1]"])]


def test_different_networks_are_refused_before_anything_is_made(outcome: dict[str, Any]) -> None:
    for status, _, (code, message, *_) in outcome["apart"]:
        assert (status, code, message) == (1, "hosts-differ", "the workers do not have the same network")


def test_what_one_process_alone_sees_ends_all_in_the_same_way(outcome: dict[str, Any]) -> None:
    (status, _, said), (status_of_other, _, said_of_other) = outcome["unfinite"]
    assert (status, said[:2]) == (1, ["diverged", "a variable of another worker is not finite after step 8"])
    assert (status_of_other, said_of_other[:2]) == (1, ["diverged", "`kernel` is not finite after step 8"])


def test_who_holds_up_the_others_is_told(outcome: dict[str, Any]) -> None:
    (status, _, lines), (status_of_other, _, lines_of_other) = outcome["held up"]
    assert (status, status_of_other) == (0, 0)
    waiting_for = [line.partition(" for ")[0] for line in lines if "waiting for worker 1 (127.0.0.1:" in line]
    places = tuple(place for place in waiting_for if place.endswith(" of epoch 2"))
    assert places
    its = {line.rpartition(": ")[2] for line in lines_of_other if line.startswith(places)}
    assert its == {"the others wait for this worker"}


def test_without_a_shared_folder_the_error_says_that_the_layer_was_not_looked_for(outcome: dict[str, Any]) -> None:
    for status, _, (code, message, _, *notes) in outcome["diverged apart"]:
        assert (status, code) == (1, "diverged"), (message, notes)
        assert message.endswith("at step 2 of 9 in epoch 2")
        assert notes == ["which layer it was is found where all workers can read the checkpoints, in one shared folder"]


def test_one_process_writes(outcome: dict[str, Any]) -> None:
    chief, other = (process[2] for process in outcome["two"])
    assert any(line.startswith("writing ") for line in chief)
    assert "worker 0 writes the files" in other
    assert (
        "small: 1,048 parameters, 1,347 training and 450 validation images of 10 classes, on 2 hosts with 1 CPU each"
        in chief
    )


def tf_config(cluster: Any, kind: str = "worker", index: Any = 0) -> dict[str, str]:
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


def test_hosts_are_found_on_the_command_line_or_in_tf_config() -> None:
    assert find_hosts(None, None, {}) is None
    assert find_hosts(1, "one:2000, two:2000", {}) == Hosts(TWO, 1)
    assert find_hosts(0, "[::1]:2000,[::2]:2000", {}) == Hosts(("[::1]:2000", "[::2]:2000"), 0)
    assert find_hosts(None, None, tf_config({"worker": TWO}, index="1")) == Hosts(TWO, 1)
    chief = {"chief": TWO[:1], "worker": TWO[1:]}
    assert find_hosts(None, None, tf_config(chief, "chief")) == Hosts(TWO, 0)
    assert find_hosts(None, None, tf_config(chief, "worker")) == Hosts(TWO, 1)
    # alone, one needs no others
    assert find_hosts(0, "one:2000", {}) is None
    assert find_hosts(None, None, tf_config({"worker": ["one:2000"]})) is None
    assert find_hosts(None, None, {"TF_CONFIG": "{}"}) is None
    # TensorFlow's evaluator is no part of the cluster
    assert find_hosts(None, None, tf_config({"worker": TWO}, "evaluator"), alone="evaluator") is None
    # the command line comes first
    assert find_hosts(0, "one:2000,two:2000", {"TF_CONFIG": "nonsense"}) == Hosts(TWO, 0)


@pytest.mark.parametrize(
    ("worker", "workers", "environment", "said"),
    [
        (0, None, {}, "without `--workers`"),
        (None, "one:2000,two:2000", {}, "without `--worker`"),
        (2, "one:2000,two:2000", {}, "there is no worker 2 among 2"),
        (0, "one:2000,one:2000", {}, "two workers have one address"),
        (0, "one,two:2000", {}, "`one` is no HOST:PORT"),
        (0, "one:2000,", {}, "`` is no HOST:PORT"),
        (0, "http://one:2000,two:2000", {}, "no HOST:PORT"),
        (None, None, {"TF_CONFIG": "nonsense"}, "TF_CONFIG"),
        (None, None, {"TF_CONFIG": "[]"}, "TF_CONFIG"),
        (None, None, tf_config({"worker": TWO}, "ps"), "a `ps`"),
        (None, None, tf_config({"worker": TWO}, index=7), "there is no worker 7"),
    ],
)
def test_other_lists_of_hosts_are_refused(
    worker: int | None, workers: str | None, environment: dict[str, str], said: str
) -> None:
    with pytest.raises(ArchspecError) as caught:
        find_hosts(worker, workers, environment)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "hosts"
    assert said in diagnostic.message
    assert diagnostic.help


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_waits_for_the_others_says_for_whom_and_can_be_ended(number: signal.Signals) -> None:
    code = """
import sys
from archspec.runtime import hosts
from tests.runtime.together import free_ports
one, two = free_ports(2)
hosts.INTERVAL = 0.5
with hosts.waiting(hosts.Hosts((f"127.0.0.1:{one}", f"127.0.0.1:{two}"), 0), lambda line: print(line, flush=True)):
    print("met", flush=True)
"""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("still waiting for worker 1 (127.0.0.1:")
        process.send_signal(number)
        assert process.wait(timeout=10) == -number


def test_processes_meet_whoever_comes_first() -> None:
    addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(3))
    said: list[str] = []
    all_have_met = threading.Barrier(3)

    def meet(worker: int) -> None:
        time.sleep(0.3 * worker)
        with waiting(Hosts(addresses, worker), said.append), listening(addresses[worker]):
            all_have_met.wait(timeout=20)  # as TensorFlow, which then has the port

    threads = [threading.Thread(target=meet, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    assert not all_have_met.broken
    assert said == []


def listening(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_server((host, int(port)))


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.EADDRINUSE])
def test_a_host_whose_ipv6_is_switched_off_listens_at_ipv4(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    create, (one, two) = socket.create_server, free_ports(2)

    def without_ipv6(address: tuple[str, int], **given: Any) -> socket.socket:
        if given:
            raise OSError(number, "as the system says it")
        return create(address)

    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)
    monkeypatch.setattr(socket, "create_server", without_ipv6)
    monkeypatch.setattr("archspec.runtime.hosts.PATIENCE", 0.3)
    with pytest.raises(ArchspecError) as caught, waiting(Hosts((f"127.0.0.1:{one}", f"127.0.0.1:{two}"), 0), print):
        pass
    met = "did not come together" in caught.value.diagnostics[0].message
    assert met == (number == errno.EADDRNOTAVAIL)


def test_who_does_not_come_is_named_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archspec.runtime.hosts.PATIENCE", 0.5)
    addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(2))
    with pytest.raises(ArchspecError) as caught, waiting(Hosts(addresses, 1), print):
        pass
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.notes) == ("hosts", (f"missing: worker 0 ({addresses[0]})",))


def test_a_port_that_is_taken_is_refused() -> None:
    addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(2))
    with (
        listening(addresses[0]),
        pytest.raises(ArchspecError) as caught,
        waiting(Hosts(addresses, 0), print),
    ):
        pass
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "hosts"
    assert diagnostic.message.startswith(f"worker 0 cannot listen at {addresses[0]}: ")


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
