"""Several hosts: who they are, and how their processes find each other."""

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
from archspec.runtime.distributed.cluster import Hosts, find_hosts, waiting
from tests.runtime.distributed.processes import free_ports

TWO = ("one:2000", "two:2000")


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
from archspec.runtime.distributed import cluster as hosts
from tests.runtime.distributed.processes import free_ports
one, two = free_ports(2)
hosts.INTERVAL = 0.5
with hosts.waiting(hosts.Hosts((f"127.0.0.1:{one}", f"127.0.0.1:{two}"), 0), lambda line: print(line, flush=True)):
    print("met", flush=True)
"""
    root = Path(__file__).parents[3]
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
    monkeypatch.setattr("archspec.runtime.distributed.cluster.PATIENCE", 0.3)
    with pytest.raises(ArchspecError) as caught, waiting(Hosts((f"127.0.0.1:{one}", f"127.0.0.1:{two}"), 0), print):
        pass
    met = "did not come together" in caught.value.diagnostics[0].message
    assert met == (number == errno.EADDRNOTAVAIL)


def test_who_does_not_come_is_named_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archspec.runtime.distributed.cluster.PATIENCE", 0.5)
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
