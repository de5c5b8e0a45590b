"""The list of workers, and how they wait for each other at the start."""

from __future__ import annotations

import errno
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from archspec.diagnostics import ArchspecError
from archspec.runtime.distributed.cluster import Cluster, connecting, find_cluster
from tests.runtime.distributed.forked_workers import free_ports

TWO = ("one:2000", "two:2000")


def tf_config(cluster: Any, kind: str = "worker", index: Any = 0) -> dict[str, str]:
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


def test_the_cluster_is_found_on_the_command_line_or_in_tf_config() -> None:
    assert find_cluster(None, None, {}) is None
    assert find_cluster(1, "one:2000, two:2000", {}) == Cluster(TWO, 1)
    assert find_cluster(0, "[::1]:2000,[::2]:2000", {}) == Cluster(("[::1]:2000", "[::2]:2000"), 0)
    assert find_cluster(None, None, tf_config({"worker": TWO}, index="1")) == Cluster(TWO, 1)
    chief = {"chief": TWO[:1], "worker": TWO[1:]}
    assert find_cluster(None, None, tf_config(chief, "chief")) == Cluster(TWO, 0)
    assert find_cluster(None, None, tf_config(chief, "worker")) == Cluster(TWO, 1)
    # a single worker needs no cluster
    assert find_cluster(0, "one:2000", {}) is None
    assert find_cluster(None, None, tf_config({"worker": ["one:2000"]})) is None
    assert find_cluster(None, None, {"TF_CONFIG": "{}"}) is None
    # TensorFlow's evaluator runs without the cluster
    assert find_cluster(None, None, tf_config({"worker": TWO}, "evaluator"), evaluation=True) is None
    # the command line comes first
    assert find_cluster(0, "one:2000,two:2000", {"TF_CONFIG": "nonsense"}) == Cluster(TWO, 0)


@pytest.mark.parametrize(
    ("worker", "workers", "environment", "said"),
    [
        (0, None, {}, "`worker` is given without `workers`"),
        (None, "one:2000,two:2000", {}, "`workers` is given without `worker`"),
        (2, "one:2000,two:2000", {}, "worker 2 does not exist: 2 addresses"),
        (0, "one:2000,one:2000", {}, "two workers have the same address"),
        (0, "one,two:2000", {}, "`one` does not have the form HOST:PORT"),
        (0, "one:2000,", {}, "`` does not have the form HOST:PORT"),
        (0, "http://one:2000,two:2000", {}, "the form HOST:PORT"),
        (None, None, {"TF_CONFIG": "nonsense"}, "TF_CONFIG"),
        (None, None, {"TF_CONFIG": "[]"}, "TF_CONFIG"),
        (None, None, tf_config({"worker": TWO}, "ps"), "a `ps`"),
        (None, None, tf_config({"worker": TWO}, index=7), "worker 7 does not exist"),
    ],
)
def test_malformed_clusters_are_refused(
    worker: int | None, workers: str | None, environment: dict[str, str], said: str
) -> None:
    with pytest.raises(ArchspecError) as caught:
        find_cluster(worker, workers, environment)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "hosts"
    assert said in diagnostic.message
    assert diagnostic.help


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_waiting_worker_names_the_missing_one_and_a_signal_ends_it(number: signal.Signals) -> None:
    code = """
import sys
from archspec.runtime.distributed import cluster
from tests.runtime.distributed.forked_workers import free_ports
one, two = free_ports(2)
cluster.NOTE_INTERVAL = 0.5
two_workers = cluster.Cluster((f"127.0.0.1:{one}", f"127.0.0.1:{two}"), 0)
with cluster.connecting(two_workers, lambda line: print(line, flush=True)):
    print("met", flush=True)
"""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith(": waiting for all 2 workers\n")
        assert process.stdout.readline().startswith("still waiting for worker 1 (127.0.0.1:")
        process.send_signal(number)
        assert process.wait(timeout=10) == -number


def test_workers_meet_in_any_order_of_starting() -> None:
    addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(3))
    said: list[str] = []
    all_have_met = threading.Barrier(3)

    def meet(worker: int) -> None:
        time.sleep(0.3 * worker)
        with connecting(Cluster(addresses, worker), said.append), listening(addresses[worker]):
            all_have_met.wait(timeout=20)  # as TensorFlow, which then has the port

    threads = [threading.Thread(target=meet, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    assert not all_have_met.broken
    assert sorted(said) == [f"worker {i} ({addresses[i]}): waiting for all 3 workers" for i in range(3)]


def listening(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_server((host, int(port)))


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.EADDRINUSE])
def test_a_machine_without_ipv6_listens_at_ipv4(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    create, (one, two) = socket.create_server, free_ports(2)

    def without_ipv6(address: tuple[str, int], **given: Any) -> socket.socket:
        if given:
            raise OSError(number, "as the system says it")
        return create(address)

    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)
    monkeypatch.setattr(socket, "create_server", without_ipv6)
    monkeypatch.setattr("archspec.runtime.distributed.cluster.TIMEOUT", 0.3)
    with (
        pytest.raises(ArchspecError) as caught,
        connecting(Cluster((f"127.0.0.1:{one}", f"127.0.0.1:{two}"), 0), print),
    ):
        pass
    timed_out = "not all workers started" in caught.value.diagnostics[0].message
    assert timed_out == (number == errno.EADDRNOTAVAIL)


def test_a_worker_that_never_starts_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archspec.runtime.distributed.cluster.TIMEOUT", 0.5)
    addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(2))
    with pytest.raises(ArchspecError) as caught, connecting(Cluster(addresses, 1), print):
        pass
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.notes) == ("hosts", (f"missing: worker 0 ({addresses[0]})",))


def test_a_port_that_is_taken_is_refused() -> None:
    addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(2))
    with (
        listening(addresses[0]),
        pytest.raises(ArchspecError) as caught,
        connecting(Cluster(addresses, 0), print),
    ):
        pass
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "hosts"
    assert diagnostic.message.startswith(f"worker 0 cannot listen at {addresses[0]}: ")
