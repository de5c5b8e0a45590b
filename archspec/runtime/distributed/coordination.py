"""TensorFlow's coordination service, which worker 0 runs, asked with a time limit.

TensorFlow's own calls of it let no other thread of Python run until the answer is there: a worker 0 that stands still
would hold up all of them. These go through gRPC, which TensorFlow depends on; the messages are those of
coordination_service.proto of TensorFlow 2.21, of which its package has no Python module.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

SECONDS = 10.0
"""For an answer."""
CONNECTED = 3
"""The state of a task that has registered and sends heartbeats."""


class SilentError(Exception):
    """The service did not answer; the text says what it is, and why."""


class Coordination:
    """A context in which the service at HOST:PORT can be asked. All methods raise SilentError."""

    def __init__(self, address: str) -> None:
        import grpc

        self._error = grpc.RpcError
        self._channel = grpc.insecure_channel(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._channel.close()

    def _ask(self, method: str, request: bytes) -> bytes:
        path = f"/tensorflow.CoordinationService/{method}"
        try:
            answer: bytes = self._channel.unary_unary(path)(request, timeout=SECONDS)
        except self._error as error:
            raise SilentError(f"{error.details()}\nRPC: {path}") from error
        return answer

    def lost(self, tasks: int) -> list[int]:
        """Which of so many workers are no longer connected."""
        request = b"".join(field(1, field(1, b"worker") + field(2, task)) for task in range(tasks))
        infos = [dict(fields(info)) for _, info in fields(self._ask("GetTaskState", request))]
        return sorted(int(dict(fields(info[1])).get(2, 0)) for info in infos if info.get(2) != CONNECTED)

    def write(self, folder: str, name: str, value: str) -> None:
        """Keep a text there, in place of an earlier one."""
        entry = field(1, f"{folder}/{name}".encode()) + field(2, value.encode())
        self._ask("InsertKeyValue", field(1, entry) + field(2, 1))

    def read(self, folder: str) -> dict[str, str]:
        """The texts of a folder by their names."""
        answer = self._ask("GetKeyValueDir", field(1, folder.encode()))
        entries = [dict(fields(entry)) for number, entry in fields(answer) if number == 2]
        return {entry[1].decode().rpartition("/")[2]: entry[2].decode() for entry in entries}


def field(number: int, value: int | bytes) -> bytes:
    """A field of a message as Protocol Buffers encode it: a number that is not negative, or bytes."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message: their numbers, and each a number, or bytes."""
    at = 0
    while at < len(message):
        tag, at = _read(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _read(message, at)
            yield number, value
            continue
        length, at = (8, at) if kind == 1 else (4, at) if kind == 5 else _read(message, at)
        yield number, message[at : at + length]
        at += length


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _read(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
