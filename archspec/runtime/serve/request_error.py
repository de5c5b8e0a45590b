"""The answer to a request that cannot be served: an HTTP status and a message, as TensorFlow Serving sends them."""

from __future__ import annotations

from collections.abc import Mapping

INVALID_ARGUMENT, FORBIDDEN, NOT_FOUND, METHOD_NOT_ALLOWED, TIMEOUT = 400, 403, 404, 405, 408
TOO_LARGE, UNSUPPORTED_TYPE, RESOURCE_EXHAUSTED = 413, 415, 429
INTERNAL, UNAVAILABLE, DEADLINE_EXCEEDED = 500, 503, 504


class RequestError(Exception):
    """A request that cannot be served.

    Args:
        status: of HTTP.
        message: for the client, in `{"error": message}`. It names nothing of the server's file system.
        headers: further headers of the response: `Retry-After`.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


def busy(message: str, status: int = RESOURCE_EXHAUSTED) -> RequestError:
    """An error that goes away by itself: the client should try again in a second."""
    return RequestError(status, message, {"Retry-After": "1"})
