"""HTTP on one connection: uvicorn's protocol, with the bounds on slow and half-closed clients that it lacks."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from archspec.runtime.serve.http.rest_answer import error_body
from archspec.runtime.serve.limits import Limits
from archspec.runtime.serve.request_error import INVALID_ARGUMENT, TIMEOUT

REFUSED = 2
"""Times `limits.connections`: more connections than these are closed without an answer."""
MOST_HEADER = 2**16
"""Bytes of a header, and between the bytes of a body; the last bytes that are read at once may be more."""
MOST_WAITING = 32
"""Requests that a client may send before it has read the answers to the earlier ones."""
HEADER, BODY = "header", "body"
ABSOLUTE = re.compile(rb"https?://([^/?#]*)([^?#]*)(.*)", re.IGNORECASE | re.DOTALL)
"""A request target with a host: host, path and query."""
UPGRADE = (b"upgrade", b"http2-settings")
"""Headers of a request that offers another protocol, and their names in `Connection`."""


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


class GuardedProtocol(HttpToolsProtocol):
    """A connection whose client must send headers in time, read its answers, and finish what it began.

    Its configuration has the attribute `limits`.
    """

    _part = ""
    """What has begun to arrive and is not complete: the HEADER of a request, its BODY, or neither."""
    _uncounted = 0
    """Bytes since the last one that belongs to a body."""
    _offers_upgrade = False
    """Whether the request whose header was parsed offers another protocol."""
    _invalid = ""
    """Why the parser was stopped."""
    _running: RequestResponseCycle | None = None
    """The request that is being answered, or was last; later ones wait in `pipeline`."""
    _refusal: bytes | None = None
    """The last answer, while earlier ones are not complete."""
    _lingers = False
    """Whether the last answer is decided, and what the client still sends is dropped."""
    _timer: asyncio.TimerHandle | None = None
    _waits_for = ""
    _stalled: asyncio.TimerHandle | None = None

    @property
    def _limits(self) -> Limits:
        return cast("Limits", self.config.limits)  # type: ignore[attr-defined]

    # ---- what arrives ----

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport, self.loop)))
        if len(self.connections) > REFUSED * self._limits.connections:
            transport.abort()
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._stalled):
            if timer is not None:
                timer.cancel()
        self._unset_keepalive_if_required()
        for cycle in (self._running, *(each for each, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._lingers:
            return
        self._uncounted += len(data)
        self._parse(data)
        if self._uncounted > MOST_HEADER and self._part and not self._lingers:
            what = "header of the request is" if self._part == HEADER else "headers of the chunks are"
            self._refuse(INVALID_ARGUMENT, f"the {what} larger than {MOST_HEADER // 1024} KiB")
        self._watch()

    def _parse(self, data: bytes) -> None:
        """Parse what arrived. An offer to change the protocol (RFC 9110, section 7.8) is ignored.

        The parser stops at such an offer and takes the body for another protocol, so that the same request without the
        offer is given to a new parser, with everything that follows.
        """
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._offers_upgrade = False
            request = self._without_upgrade()
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
            self._parse(request + data[offer.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("")

    def _without_upgrade(self) -> bytes:
        """The request line and header that were parsed, without those of an upgrade."""
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                value = b", ".join(each for each in value.split(b",") if each.strip().lower() not in UPGRADE)
            if name not in UPGRADE:
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"\r\n"])

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._part, self._uncounted = HEADER, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._part == HEADER:  # else it follows a body in chunks, and nothing here needs it
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        hosts = sum(name == b"host" for name, _ in self.headers)
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1") or hosts > 1 or (hosts == 0 and version == "1.1"):
            raise ValueError
        if self.parser.get_method() == b"CONNECT":
            self._invalid = "CONNECT is not supported"
            raise ValueError
        if self.parser.should_upgrade():
            self._offers_upgrade = True
            return
        if len(self.pipeline) == MOST_WAITING:
            self._invalid = f"more than {MOST_WAITING} requests were sent without waiting for an answer"
            raise ValueError
        self._to_origin_form()
        super().on_headers_complete()
        self._part = BODY

    def _to_origin_form(self) -> None:
        """Turn `GET http://a/b` into `GET /b` with the header `Host: a` (RFC 9112, section 3.2.2)."""
        if target := ABSOLUTE.fullmatch(self.url):
            host, path, query = target.groups()
            self.url = (path or b"/") + query
            self.headers[:] = [each for each in self.headers if each[0] != b"host"] + [(b"host", host)]
        elif not self.url.startswith(b"/") and self.url != b"*":
            self._invalid = "the target of the request is neither a path nor an address that begins with http://"
            raise ValueError

    def on_body(self, body: bytes) -> None:
        self._uncounted = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._offers_upgrade:
            return
        self._part = ""
        super().on_message_complete()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends nothing more. It may still read the answers to complete requests."""
        cast("JoinedWrites", self.transport).flush()  # asyncio may close the transport itself
        if self._part == HEADER:
            self._refuse(INVALID_ARGUMENT, "the connection was closed before the header was complete")
        elif self._part == BODY and not self.cycle.response_complete:
            self._refuse(INVALID_ARGUMENT, "the connection was closed before the body was complete")
        elif self._is_answering() and not self._lingers:
            self.cycle.keep_alive = False
            return True  # the transport stays open for the answer
        return self._refusal is not None

    # ---- answers ----

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _is_answering(self) -> bool:
        cycle = self._running
        return cycle is not None and not cycle.response_complete and not cycle.disconnected

    def on_response_complete(self) -> None:
        super().on_response_complete()  # which starts the next one
        if self._refusal is not None and not self._is_answering() and not self.transport.is_closing():
            self._send_last(self._refusal)
        self._watch()

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
        if self._is_answering():
            last = self.pipeline[0][0] if self.pipeline else self._running
            assert last is not None
            last.keep_alive = False
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer to what is not HTTP."""
        self._refuse(INVALID_ARGUMENT, self._invalid or "the request is not valid HTTP/1.1")

    def _refuse(self, status: int, message: str) -> None:
        """Answer what is arriving without the application, after the requests before it, and close the connection."""
        if self._lingers:
            return
        self._lingers = True
        self._set_timer()
        answer = _last_answer(status, message)
        if self._part == BODY:
            cycle = self.cycle
            self.pipeline = deque(each for each in self.pipeline if each[0] is not cycle)
            if cycle.response_complete:
                answer = b""
            elif cycle.response_started:
                self.transport.close()
                return
            cycle.disconnected = True  # the application's own answer is dropped
            cycle.message_event.set()
        if self._is_answering():
            self._refusal = answer
        else:
            self._send_last(answer)

    def _send_last(self, answer: bytes) -> None:
        self._refusal = None
        self.transport.write(answer)
        # closed at once, with bytes of the client unread, the connection would be reset and the answer lost
        self._set_timer(self._limits.linger_seconds, self.transport.close)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    # ---- time ----

    def _watch(self) -> None:
        """Start or stop the timer for what the client owes: a header, or the rest of a refused request."""
        if self._lingers:
            return
        waits_for = ""
        if self.transport.is_closing():
            pass
        elif self._part == HEADER or self.cycle is None:
            waits_for = HEADER
        elif not self.cycle.response_complete:
            pass
        elif self._part == BODY:
            waits_for = BODY
        elif self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        if waits_for == self._waits_for:
            return
        self._waits_for = waits_for
        if waits_for == HEADER:
            self._set_timer(self._limits.header_seconds, self._header_is_late)
        elif waits_for == BODY:
            self._set_timer(self._limits.linger_seconds, self.transport.close)
        else:
            self._set_timer()

    def _header_is_late(self) -> None:
        if self._part == HEADER:
            self._refuse(TIMEOUT, f"the header of the request did not arrive within {self._limits.header_seconds:g} s")
        else:  # nothing was asked
            self.transport.close()

    def _set_timer(self, seconds: float = 0.0, function: Callable[[], None] | None = None) -> None:
        """Call a function later instead of what was to be called; None for nothing."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if function is None else self.loop.call_later(seconds, function)


def _last_answer(status: int, message: str) -> bytes:
    body = error_body(message)
    headers = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return STATUS_LINE[status] + headers.encode() + body
