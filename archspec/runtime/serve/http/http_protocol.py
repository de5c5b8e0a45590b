"""HTTP on one connection: uvicorn's protocol, with the bounds on slow and half-closed clients that it lacks."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from archspec.runtime.serve.http.rest_answer import error_body
from archspec.runtime.serve.limits import Limits
from archspec.runtime.serve.request_error import INVALID_ARGUMENT, TIMEOUT

REFUSED = 2
"""Times `limits.connections`: more connections than these are closed without an answer."""


class JoinedWrites:
    """A transport that sends what is written in one turn of the event loop at once: header and body of an answer."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send it at the end of this turn."""
        if data:
            if not self._parts:
                self._loop.call_soon(self.flush)
            self._parts.append(data)

    def flush(self) -> None:
        """Send it now."""
        if self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            self._transport.write(data)

    def write_eof(self) -> None:
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class GuardedProtocol(H11Protocol):
    """A connection whose client must send headers in time, read its answers, and finish what it began.

    Its configuration has the attribute `limits`.
    """

    _timer: asyncio.TimerHandle | None = None
    _waits_for = ""
    _stalled: asyncio.TimerHandle | None = None
    _lingers = False
    """Whether the answer was the last one, and what the client still sends is dropped."""

    @property
    def _limits(self) -> Limits:
        return cast("Limits", self.config.limits)  # type: ignore[attr-defined]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport, self.loop)))
        if len(self.connections) > REFUSED * self._limits.connections:
            transport.abort()
            return
        self._watch(fresh=True)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._stalled):
            if timer is not None:
                timer.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._lingers:
            return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def _watch(self, *, fresh: bool = False) -> None:
        """Start or stop the timer for what the client owes: a header, or the rest of a refused request."""
        waits_for = ""
        if self.transport.is_closing():
            pass
        elif self.conn.their_state is h11.IDLE and (fresh or self.conn.trailing_data[0]):
            waits_for = "header"
        elif self.conn.their_state is h11.SEND_BODY and self.cycle is not None and self.cycle.response_complete:
            waits_for = "rest"
        if waits_for == self._waits_for:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waits_for = waits_for
        if waits_for == "header":
            self._timer = self.loop.call_later(self._limits.header_seconds, self._header_is_late)
        elif waits_for == "rest":
            self._timer = self.loop.call_later(self._limits.linger_seconds, self.transport.close)

    def _header_is_late(self) -> None:
        if self.conn.trailing_data[0]:
            seconds = f"{self._limits.header_seconds:g} s"
            self._refuse(TIMEOUT, f"the header of the request did not arrive within {seconds}")
        else:  # nothing was asked
            self.transport.close()

    def pause_writing(self) -> None:
        """The client does not read its answer."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self._limits.linger_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def shutdown(self) -> None:
        """The server stops."""
        if self._lingers:
            self.transport.close()
        else:
            super().shutdown()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends nothing more. It may still read the answer to a complete request."""
        cast("JoinedWrites", self.transport).flush()  # asyncio may close the transport itself
        cycle = self.cycle
        if self._lingers:
            return False
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False
            if not cycle.more_body:
                return True  # the transport stays open for the answer
            self._refuse(INVALID_ARGUMENT, "the connection was closed before the body was complete")
        elif self.conn.trailing_data[0]:
            self._refuse(INVALID_ARGUMENT, "the connection was closed before the header was complete")
        return False

    def send_400_response(self, msg: str) -> None:
        """Answer to what is not HTTP."""
        self._refuse(INVALID_ARGUMENT, "the request is not valid HTTP/1.1")

    def _refuse(self, status: int, message: str) -> None:
        """Answer without the application, if no answer has begun, and close the connection."""
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started:
                self.transport.close()
                return
            self.cycle.disconnected = True  # the application's own answer is dropped
            self.cycle.message_event.set()
        body = error_body(message)
        headers: Any = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        with contextlib.suppress(h11.LocalProtocolError):
            for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        # closed at once, with bytes of the client unread, the connection would be reset and the answer lost
        self._lingers = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(self._limits.linger_seconds, self.transport.close)
        if self.transport.can_write_eof():
            self.transport.write_eof()
