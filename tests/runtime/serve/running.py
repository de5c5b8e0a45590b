"""A server in a thread of the test process, and clients as simple as they can be."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archspec.runtime.serve.http.server import ServeOptions, Server, listener
from archspec.runtime.serve.limits import Limits
from archspec.runtime.serve.models.model_source import model_source


@dataclass(frozen=True)
class Answer:
    """What a server answers."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The text of an error, which has no other form."""
        assert self.headers["content-type"] == "application/json"
        ((key, text),) = self.json.items()
        assert key == "error"
        return str(text)


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    server: Server
    port: int
    lines: list[str]

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """A request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
            found = connection.getresponse()
            return Answer(found.status, {key.lower(): value for key, value in found.headers.items()}, found.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, document: Any) -> Answer:
        """A JSON document, or bytes."""
        return self.ask("POST", path, document if isinstance(document, bytes) else json.dumps(document).encode())

    def upload(self, path: str, files: Mapping[str, bytes]) -> Answer:
        """A form with files."""
        parts = [
            f'--xyz\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'.encode()
            + contents
            + b"\r\n"
            for name, contents in files.items()
        ]
        return self.ask(
            "POST", path, b"".join(parts) + b"--xyz--\r\n", Content_Type="multipart/form-data; boundary=xyz"
        )

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        """A bare connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as found:
            yield found

    def raw(self, data: bytes, *, half_closed: bool = False) -> Answer:
        """The answer to bytes, until the server closes the connection."""
        with self.connection() as connection:
            connection.sendall(data)
            if half_closed:
                with contextlib.suppress(OSError):  # the server has closed the connection
                    connection.shutdown(socket.SHUT_WR)
            return answer_of(connection)


def answer_of(connection: socket.socket) -> Answer:
    """Read one answer from a bare connection."""
    found = http.client.HTTPResponse(connection)
    found.begin()
    return Answer(found.status, {key.lower(): value for key, value in found.headers.items()}, found.read())


@contextmanager
def running(
    path: Path, *, limits: Limits | None = None, name: str | None = None, versions: int = 1
) -> Iterator[Running]:
    """Serve what is at a path; at the end the server has stopped."""
    lines: list[str] = []

    def report(line: str) -> None:
        lines.append(line)
        raise BrokenPipeError  # as where nobody reads the log

    options = ServeOptions(port=0, name=name, versions=versions, limits=limits or Limits(), report=report)
    bound = listener("127.0.0.1", 0)
    port = bound.getsockname()[1]
    with bound, model_source(path, name, lines.append) as source:
        server = Server(source, options, bound)
        failed: list[BaseException] = []

        def run() -> None:
            try:
                server.run()
            except BaseException as error:
                failed.append(error)
                server.started.set()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            assert server.started.wait(60)
            if failed:
                raise failed[0]
            yield Running(server, port, lines)
        finally:
            server.stop()
            thread.join(30)
            assert not thread.is_alive()
