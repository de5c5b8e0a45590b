"""Sixteen clients at once, good and bad: every good answer is right, every bad request refused, memory stays flat."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runtime.serve.conftest import Exports
from tests.runtime.serve.running import Running

CLIENTS = 16
GROWTH = 24 * 2**20
"""Bytes by which the memory of a server may grow while it is used; allocators keep some free."""


@dataclass
class Outcome:
    """What the clients saw."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def note(self, kind: str, ok: bool, what: object) -> None:
        self.counts[kind] += 1
        if not ok and len(self.wrong) < 20:
            self.wrong.append(f"{kind}: {what}")


@dataclass(frozen=True)
class Expected:
    """Requests with their answers: those of `archspec predict`, and of the Keras model."""

    images: Mapping[str, bytes]
    predicted: Mapping[str, list[tuple[str, float]]]
    x: Any
    probabilities: Any

    @classmethod
    def of(cls, exports: Exports) -> Expected:
        import keras

        x = np.random.default_rng(2).normal(size=(16, 12, 10, 3)).astype(np.float32)
        return cls(exports.images, exports.predicted(), x, keras.saving.load_model(exports.model)(x).numpy())


class Client(threading.Thread):
    """Sends requests on one connection, and looks at the answers, until a time."""

    def __init__(self, number: int, port: int, expected: Expected, end: float, outcome: Outcome) -> None:
        super().__init__()
        self._generator = random.Random(number)
        self._port, self._expected, self._end, self._outcome = port, expected, end, outcome
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def run(self) -> None:
        kinds = [self.rows, self.rows, self.columns, self.images, self.images, self.upload, self.bad, self.rude]
        while time.monotonic() < self._end:
            kind = self._generator.choice(kinds)
            try:
                kind()
            except Exception as error:
                self._outcome.note(kind.__name__, ok=False, what=repr(error))
                self._connection.close()
        self._connection.close()

    def ask(self, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
        self._connection.request("POST", path, body, {key.replace("_", "-"): text for key, text in headers.items()})
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def rows(self, key: str = "instances") -> None:
        chosen = self._generator.sample(range(16), self._generator.choice([1, 1, 1, 2, 5, 16]))
        status, found = self.ask(
            "/v1/models/saved:predict", json.dumps({key: self._expected.x[chosen].tolist()}).encode()
        )
        values = found.get("predictions" if key == "instances" else "outputs", [])
        ok = status == 200 and np.allclose(values, self._expected.probabilities[chosen], rtol=0, atol=1e-6)
        self._outcome.note("floats", ok, found)

    def columns(self) -> None:
        self.rows("inputs")

    def images(self) -> None:
        names = self._generator.choices(list(self._expected.images), k=self._generator.choice([1, 1, 2, 4]))
        instances = [{"b64": base64.b64encode(self._expected.images[name]).decode()} for name in names]
        body = json.dumps({"signature_name": "serve_images", "instances": instances}).encode()
        status, found = self.ask("/v1/models/saved:predict", body)
        rows = [list(zip(each["classes"], each["probabilities"], strict=True)) for each in found.get("predictions", [])]
        self._outcome.note("images", status == 200 and self.equal(names, rows), found)

    def upload(self) -> None:
        (name,) = self._generator.choices(list(self._expected.images))
        status, found = self.ask("/predict?top=5", self._expected.images[name], Content_Type="image/x")
        rows = [
            [(one["class"], one["probability"]) for one in each["classes"]] for each in found.get("predictions", [])
        ]
        self._outcome.note("upload", status == 200 and self.equal([name], rows), found)

    def equal(self, names: list[str], rows: list[list[tuple[str, float]]]) -> bool:
        return len(names) == len(rows) and all(
            [name for name, _ in row] == [name for name, _ in self._expected.predicted[file]]
            and np.allclose([p for _, p in row], [p for _, p in self._expected.predicted[file]], rtol=0, atol=1e-6)
            for file, row in zip(names, rows, strict=True)
        )

    def bad(self) -> None:
        """Requests that are refused, without harm to the connection."""
        x = self._expected.x[:1].tolist()
        x[0][0][0][0] = self._generator.choice([float("nan"), "a", None, [], 1e300])
        image = self._expected.images["b.jpg"]
        damaged = base64.b64encode(image[: self._generator.randrange(len(image) // 2)]).decode()
        path, body = self._generator.choice(
            [
                ("/v1/models/saved:predict", json.dumps({"instances": x}).encode()),
                ("/v1/models/saved:predict", b'{"instances": ' + b"[" * self._generator.randrange(1, 3000)),
                (
                    "/v1/models/saved:predict",
                    json.dumps({"signature_name": "serve_images", "instances": [{"b64": damaged}]}).encode(),
                ),
                ("/v1/models/nope:predict", b"{}"),
                ("/v1/models/saved:nope", b"{}"),
                ("/predict", b"no form"),
            ]
        )
        status, found = self.ask(path, body)
        self._outcome.note("bad", 400 <= status < 416 and list(found) == ["error"], (status, found))

    def rude(self) -> None:
        """Connections that break off in the middle, or claim to be huge."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=30) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(
                self._generator.choice(
                    [
                        b"",
                        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Le",
                        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc",
                        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
                        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                        b"\x16\x03\x01 TLS",
                    ]
                )
            )
        self._outcome.note("rude", ok=True, what=None)


def memory(port: int) -> float:
    """Resident bytes of the server, by its own metrics."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        found = re.search(r"^process_resident_memory_bytes (\S+)$", connection.getresponse().read().decode(), re.M)
        assert found is not None
        return float(found[1])


def soak(port: int, expected: Expected, seconds: float) -> tuple[Outcome, float]:
    """Let the clients run: what they saw, and how many bytes the server grew after the first third of the time."""
    outcome, started = Outcome(), time.monotonic()
    clients = [Client(number, port, expected, started + seconds, outcome) for number in range(CLIENTS)]
    for each in clients:
        each.start()
    time.sleep(seconds / 3)
    before = memory(port)
    for each in clients:
        each.join()
    return outcome, memory(port) - before


@contextmanager
def in_a_process(folder: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """`archspec serve`, and its port."""
    command = [sys.executable, "-P", "-m", "archspec", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            line = ""
            while not line.startswith("listening on "):
                line = server.stderr.readline()
                assert line
            yield int(line.rpartition(":")[2]), server
        finally:
            server.terminate()
            server.wait(60)


def test_good_requests_are_answered_among_bad_ones(served: Running, exports: Exports) -> None:
    """For some seconds, with the clients in the process of the server."""
    outcome, growth = soak(served.port, Expected.of(exports), 4.0)
    assert outcome.wrong == []
    assert set(outcome.counts) == {"floats", "images", "upload", "bad", "rude"}
    assert growth < 4 * GROWTH


@pytest.mark.slow
def test_sixteen_clients_for_a_minute(exports: Exports) -> None:
    """With the server in a process of its own, whose memory is that of the server alone."""
    expected = Expected.of(exports)
    with in_a_process(exports.saved()) as (port, server):
        outcome, growth = soak(port, expected, 60.0)
        print(f"{sum(outcome.counts.values()):,} requests, {dict(outcome.counts)}, grown by {growth / 2**20:.1f} MiB")
        assert outcome.wrong == []
        assert sum(outcome.counts.values()) > 1000
        assert growth < GROWTH
        server.terminate()
        assert server.wait(60) == 0
        assert server.stderr is not None
        said = server.stderr.read()
    assert said == "stopping after the requests that are under way\n"
