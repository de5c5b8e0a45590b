"""Clients that misbehave, on bare sockets: slow, half-closed, silent, too many, too large, not HTTP at all."""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from archspec.runtime.serve.limits import Limits
from archspec.runtime.serve.models.loaded_version import LoadedVersion
from tests.runtime.serve.conftest import Exports
from tests.runtime.serve.running import Answer, Running, answer_of, running

PATH = "/v1/models/saved:predict"
BODY = json.dumps({"instances": np.zeros((1, 12, 10, 3)).tolist()}).encode()


def request(body: bytes = BODY, *, method: str = "POST", path: str = PATH, headers: str = "") -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body
    )


@pytest.fixture(scope="module")
def impatient(exports: Exports) -> Iterator[Running]:
    """A server whose patience is short."""
    limits = Limits(
        seconds=1.5, header_seconds=0.5, linger_seconds=0.5, idle_seconds=1.0, connections=8, queue=8, batch=4
    )
    with running(exports.saved(), limits=limits) as server:
        yield server


def closed(connection: socket.socket, seconds: float = 10.0) -> bool:
    """Whether the server closes the connection in time."""
    connection.settimeout(seconds)
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(65536):
            pass
    return True


def test_a_client_that_sends_no_header_in_time_is_disconnected(impatient: Running) -> None:
    with impatient.connection() as silent:
        assert closed(silent)
    with impatient.connection() as slow:
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\n")
        found = answer_of(slow)
        assert (found.status, "header" in found.error) == (408, True)
        assert closed(slow)


def test_bytes_that_trickle_in_do_not_extend_the_time(impatient: Running) -> None:
    """Slow loris, in the first and in a later request of a connection."""
    for first in (b"", request(b"", method="GET", path="/healthz")):
        with impatient.connection() as slow:
            if first:
                slow.sendall(first)
                assert answer_of(slow).status == 200
            started = time.monotonic()
            with contextlib.suppress(ConnectionError):
                slow.sendall(b"GET /healthz HTTP/1.1\r\n")
                while time.monotonic() - started < 8:
                    slow.sendall(b"X-A: b\r\n")
                    time.sleep(0.05)
            assert time.monotonic() - started < 6


def test_a_body_that_does_not_arrive_gets_408(impatient: Running) -> None:
    with impatient.connection() as slow:
        slow.sendall(request()[:-10])
        found = answer_of(slow)
        assert (found.status, found.error) == (408, "the body did not arrive within 1.5 s")
        assert closed(slow)


def test_a_client_that_only_stops_sending_gets_its_answer(impatient: Running) -> None:
    found = impatient.raw(request(), half_closed=True)
    assert (found.status, len(found.json["predictions"])) == (200, 1)
    for _ in range(20):  # an answer that is there at once
        assert impatient.raw(request(b"", method="GET", path="/metrics"), half_closed=True).status == 200
    found = impatient.raw(request()[:-10], half_closed=True)
    assert (found.status, found.error) == (400, "the connection was closed before the body was complete")
    found = impatient.raw(b"GET /healthz HTT", half_closed=True)
    assert (found.status, found.error) == (400, "the connection was closed before the header was complete")


def test_a_client_that_vanishes_leaves_no_trace(impatient: Running) -> None:
    import struct

    for sent in (b"", b"GET /", request()[:-10], request()):
        with impatient.connection() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset at the end
            connection.sendall(sent)
    end = time.monotonic() + 10
    while (impatient.server._connections() or impatient.server._batcher.rows) and time.monotonic() < end:
        time.sleep(0.05)
    assert (impatient.server._connections(), impatient.server._batcher.rows) == (0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: rot13\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 10**6 + b"\r\n\r\n",
        b"GET /" + b"a" * 10**6 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\r\n\r\n\r\n\r\nnothing",
        b"GET /healthz HTTP/1.1\r\n\r\n",  # RFC 9112, section 3.2: Host is mandatory
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: y\r\n\r\n",
        b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * 10**6,
        b"\x00" * 100 + b"\r\n\r\n",
    ],
    ids=lambda data: repr(data[:30]),
)
def test_what_is_not_http_gets_400(impatient: Running, data: bytes) -> None:
    found = impatient.raw(data, half_closed=True)
    assert found.status == 400
    assert found.error
    assert impatient.get("/healthz").status == 200


def test_random_bytes_do_no_harm(impatient: Running) -> None:
    """Good requests, damaged in a few bytes, cut off, or repeated on one connection."""
    generator = random.Random(0)
    good = request()
    for _ in range(60):
        data = bytearray(good)
        for _ in range(generator.randrange(1, 6)):
            data[generator.randrange(200)] = generator.randrange(256)
        cut = generator.choice([len(data), generator.randrange(len(data))])
        with contextlib.suppress(ConnectionError, ValueError):
            found = impatient.raw(bytes(data[:cut]), half_closed=True)
            assert found.status in (200, 400, 403, 404, 405, 408, 413, 415)
            assert b"Traceback" not in found.body
            assert b"site-packages" not in found.body
    assert impatient.post(PATH, BODY).status == 200


def statuses(server: Running, data: bytes) -> list[int]:
    """Of all answers to bytes, until the server closes the connection."""
    with server.connection() as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    return [int(each) for each in re.findall(rb"HTTP/1.1 (\d+) ", received)]


def test_requests_may_be_pipelined(impatient: Running) -> None:
    """They are answered in their order, up to one that is not HTTP."""
    get = request(b"", method="GET", path="/healthz")
    assert statuses(impatient, request() + get + request(b"{}")) == [200, 200, 400]
    assert statuses(impatient, request() + get + b"nothing\r\n\r\n" + get) == [200, 200, 400]
    assert statuses(impatient, request() + get + request()[:-10]) == [200, 200, 400]


@pytest.mark.parametrize("offer", ["h2c", "websocket"])
def test_an_offer_of_another_protocol_is_ignored(impatient: Running, offer: str) -> None:
    """As Java's client and `curl --http2` send it. The body is no request of its own."""
    headers = f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {offer}\r\nHTTP2-Settings: AAMAAABk\r\n"
    get = request(b"", method="GET", path="/healthz")
    assert statuses(impatient, request(headers=headers) + get) == [200, 200]
    inner = request(b"", method="GET", path="/readyz")
    with impatient.connection() as client:
        client.sendall(request(inner, headers=headers)[: -len(inner)])
        time.sleep(0.2)  # so that the body arrives by itself
        client.sendall(inner)
        assert answer_of(client).status == 400
        client.sendall(request(b"", method="GET", path="/healthz", headers=headers))
        assert answer_of(client).status == 200
        client.sendall(get)
        assert answer_of(client).status == 200
    assert impatient.raw(b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n").error == "CONNECT is not supported"


def test_a_client_may_not_send_requests_without_end(impatient: Running) -> None:
    found = statuses(impatient, 100 * request(b"", method="GET", path="/healthz"))
    assert found[-1] == 400
    assert set(found[:-1]) == {200}


def test_too_many_connections_get_503(impatient: Running) -> None:
    """Far too many are closed at once; the others get an answer again when these are gone."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(impatient.connection()) for _ in range(8)]
        end = time.monotonic() + 5
        while impatient.server._connections() < 8 and time.monotonic() < end:
            time.sleep(0.01)
        found = impatient.get("/healthz")
        assert (found.status, found.headers["retry-after"]) == (503, "1")
        assert "too many connections" in found.error
        assert len(held) == 8
    end = time.monotonic() + 5
    while impatient.get("/healthz").status != 200:
        assert time.monotonic() < end
        time.sleep(0.05)


class SlowModel:
    """Replaces the function of a version by one that waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on, self.called = threading.Event(), threading.Event()
        run = LoadedVersion.run

        def slow(version: LoadedVersion, name: str, values: object) -> object:
            self.called.set()
            self.go_on.wait(20)
            return run(version, name, values)  # type: ignore[arg-type]

        monkeypatch.setattr(LoadedVersion, "run", slow)


def refused(server: Running) -> bool:
    """Whether the server accepts no more connections, in time."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            server.get("/healthz")
        except ConnectionError:
            return True
        time.sleep(0.01)
    return False


def in_threads(server: Running, count: int) -> tuple[list[Answer], list[threading.Thread]]:
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(server.post(PATH, BODY))) for _ in range(count)]
    for each in threads:
        each.start()
    return answers, threads


def test_a_full_queue_and_a_slow_model(impatient: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """429 at once for what does not fit; 504 for what waits too long; then all is well again."""
    end = time.monotonic() + 10
    while impatient.server._connections() and time.monotonic() < end:  # those of other tests
        time.sleep(0.01)
    model = SlowModel(monkeypatch)
    try:
        answers, threads = in_threads(impatient, 7)
        assert model.called.wait(10)
        end = time.monotonic() + 10
        while impatient.server._batcher.rows < 7 and time.monotonic() < end:
            time.sleep(0.01)
        two = json.dumps({"instances": np.zeros((2, 12, 10, 3)).tolist()}).encode()
        found = impatient.post(PATH, two)
        assert (found.status, found.headers.get("retry-after")) == (429, "1")
        assert "no room for 2 instances: 7 of at most 8 wait" in found.error
        for each in threads:
            each.join(20)
        assert [each.status for each in answers] == [504] * 7
        assert "longer than 1.5 s" in answers[0].error
    finally:
        model.go_on.set()
    assert impatient.post(PATH, BODY).status == 200


def test_stopping_finishes_what_is_under_way(exports: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    """No new connection is accepted, and an idle one is closed."""
    model = SlowModel(monkeypatch)
    with running(exports.saved()) as server, server.connection() as idle:
        model.go_on.set()
        idle.sendall(request(b"", method="GET", path="/readyz"))
        assert answer_of(idle).status == 200
        model.go_on.clear()
        model.called.clear()
        answers, threads = in_threads(server, 3)
        assert model.called.wait(10)
        end = time.monotonic() + 10
        while server.server._batcher.rows < 3 and time.monotonic() < end:
            time.sleep(0.01)
        server.server.stop()
        assert closed(idle)
        assert refused(server)
        model.go_on.set()
        for each in threads:
            each.join(20)
        assert [each.status for each in answers] == [200] * 3


def test_a_client_that_does_not_read_its_answers_is_disconnected(impatient: Running) -> None:
    """Of pipelined requests for the page, whose answers fill all buffers."""
    with impatient.connection() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ask = request(b"", method="GET", path="/")
        deaf.settimeout(3)
        with contextlib.suppress(OSError):
            for _ in range(3000):
                deaf.sendall(ask)
        end = time.monotonic() + 10
        while impatient.server._connections() > 0 and time.monotonic() < end:
            time.sleep(0.05)
        assert impatient.server._connections() == 0
