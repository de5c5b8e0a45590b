"""Reading the body of a request: bounded in bytes and time, decompressed, and the files of a form."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from archspec.diagnostics import printable
from archspec.runtime.serve.limits import Limits
from archspec.runtime.serve.request_error import (
    INVALID_ARGUMENT,
    TIMEOUT,
    TOO_LARGE,
    UNAVAILABLE,
    UNSUPPORTED_TYPE,
    RequestError,
    busy,
)

GZIP_NAMES = ("gzip", "x-gzip")  # equal by RFC 9110, section 8.4.1.3
GZIP = 31  # window bits of zlib for a gzip header and trailer
MOST_MEMBERS = 1024
"""Members of a gzip body (RFC 1952, section 2.2), each of which may be empty."""
IMAGE_TYPES = ("image/", "application/octet-stream")


@dataclass(frozen=True)
class Upload:
    """A file of a form."""

    name: str
    contents: bytes


class BodyReader:
    """Reads the bodies of all requests of a server, and bounds them together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @asynccontextmanager
    async def read(self, request: Request, deadline: float) -> AsyncIterator[bytes]:
        """Yields the body, decompressed. It counts as held until the block ends.

        Args:
            deadline: of the event loop's clock.

        Raises:
            RequestError: 400, 408, 413, 415, 503.
            ClientDisconnect: the client is gone.
        """
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", *GZIP_NAMES):
            raise RequestError(
                UNSUPPORTED_TYPE,
                "the server reads bodies without compression, or with gzip",
                {"Accept-Encoding": "gzip"},
            )
        length = request.headers.get("content-length", "0")
        if len(length) > 18 or int(length) > self._limits.body:  # the parser has checked that it is a number
            raise self._too_large()
        before = self._held
        body = bytearray()
        held = 0
        try:
            async with asyncio.timeout_at(deadline):
                async for part in request.stream() if encoding == "identity" else self._decompressed(request):
                    held += len(part)
                    self._held += len(part)
                    body += part
                    if len(body) > self._limits.body:
                        raise self._too_large()
                    if before and self._held > self._limits.bodies:
                        raise busy(
                            "the server reads too many large requests at the moment; try again later", UNAVAILABLE
                        )
            yield bytes(body)
        except TimeoutError:
            seconds = f"{self._limits.seconds:g} s"
            raise RequestError(TIMEOUT, f"the body did not arrive within {seconds}", {"Connection": "close"}) from None
        finally:
            self._held -= held

    async def _decompressed(self, request: Request) -> AsyncIterator[bytes]:
        decompressor, members = zlib.decompressobj(GZIP), 1
        try:
            async for chunk in request.stream():
                rest = chunk
                while rest:
                    if decompressor.eof and not (rest := rest.lstrip(b"\0")):  # padding, as gzip(1) reads it
                        break
                    if decompressor.eof:  # another member follows
                        decompressor, members = zlib.decompressobj(GZIP), members + 1
                    if members > MOST_MEMBERS:
                        raise RequestError(INVALID_ARGUMENT, f"the body has more than {MOST_MEMBERS:,} gzip members")
                    # one byte more than allowed is refused by the caller, and the rest is never decompressed
                    yield decompressor.decompress(rest, self._limits.body + 1)
                    rest = decompressor.unused_data or decompressor.unconsumed_tail
        except zlib.error:
            raise RequestError(INVALID_ARGUMENT, "the body is not valid gzip") from None
        if not decompressor.eof:
            raise RequestError(INVALID_ARGUMENT, "the gzip data of the body ends too early")

    def _too_large(self) -> RequestError:
        most = self._limits.body / 2**20
        return RequestError(
            TOO_LARGE, f"the request is larger than {most:g} MiB; send fewer instances, or images as JPEG"
        )


class _FormParser(MultiPartParser):
    """Keeps files in memory: the body was read, and is bounded."""

    spool_max_size = 2**40


async def uploads(request: Request, body: bytes, most: int) -> list[Upload]:
    """The files of a multipart form, or the body as one image.

    Args:
        most: files in a request.

    Raises:
        RequestError: 400, 415.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith(IMAGE_TYPES):
        found = [Upload("image", body)]
    elif kind == "multipart/form-data":
        found = await _form_files(request, body, most)
    else:
        shown = f"not {printable(kind)[:100]}" if kind else "and a Content-Type"
        help = "curl -F image=@photo.jpg .../predict"
        raise RequestError(
            UNSUPPORTED_TYPE,
            f"{request.scope['path']} expects multipart/form-data with image files, or image/*, {shown}: {help}",
        )
    if not found:
        raise RequestError(INVALID_ARGUMENT, "the form has no image files: curl -F image=@photo.jpg .../predict")
    return found


async def _form_files(request: Request, body: bytes, most: int) -> list[Upload]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await _FormParser(request.headers, stream(), max_files=most, max_fields=100).parse()
    except MultiPartException as error:
        raise RequestError(INVALID_ARGUMENT, f"the form cannot be read: {error.message}") from None
    except (UnicodeError, ValueError, LookupError):
        raise RequestError(INVALID_ARGUMENT, "the form cannot be read: its headers are damaged") from None
    found = []
    for _, value in form.multi_items():
        if isinstance(value, UploadFile):
            name = printable((value.filename or "image").replace("\\", "/").rpartition("/")[2])[:200]
            contents = value.file.read()
            value.file.close()
            if value.filename or contents:  # neither in a browser's form where no file is chosen
                found.append(Upload(name, contents))
    return found


__all__ = ["BodyReader", "ClientDisconnect", "Upload", "uploads"]
