"""Serve exported models over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from archspec.arguments import NonNegativeInt, PositiveFloat, PositiveInt, Range, StrPath, as_path, public
from archspec.diagnostics import fail, printable
from archspec.wording import reporter


@public()
def serve(
    model: StrPath,
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Range(0, 65535)] = 8501,
    allow_hosts: Sequence[str] = (),
    name: str | None = None,
    versions: PositiveInt = 1,
    labels: Mapping[str, int] | None = None,
    threads: NonNegativeInt = 0,
    batch_size: PositiveInt = 16,
    queue: PositiveInt = 256,
    timeout: PositiveFloat = 30.0,
    max_request: PositiveInt = 32,
    max_pixels: PositiveInt = 32_000_000,
    max_connections: PositiveInt = 256,
    report: Callable[[str], None] | None = None,
) -> None:
    """Serve models over HTTP until SIGTERM or Ctrl-C, as `archspec serve` does; then finish the running requests.

    Args:
        model: the folder of an export with its versions, a folder of several of them, a run directory or a `.keras`
            file. A new version that appears in a folder replaces the older one.
        host: the address to listen on; by default only this machine can reach the server.
        port: the port to listen on; 0 for a free one.
        allow_hosts: names by which clients may call a server that only this machine can reach, besides `localhost`.
        name: the name of a single model in `/v1/models/NAME`; by default that of its folder.
        versions: how many of the newest versions of each model are served.
        labels: label -> version, for `/v1/models/NAME/labels/LABEL`; such a version is served however old it is.
        threads: the number of threads of the library that runs the model; 0 for its default.
        batch_size: images or instances in a batch, at most.
        queue: images or instances that wait, at most; further requests get the status 429.
        timeout: seconds that a request may take.
        max_request: the largest size of a request, in MiB.
        max_pixels: the largest number of pixels of an image.
        max_connections: open connections, at most.
        report: called with lines about what the server does.

    Raises:
        ArchspecError: `missing-package`, `cannot-listen`, `not-served`, `bad-argument`; the errors of reading a model
            file.
    """
    from archspec.runtime.serve.extra import check_extra
    from archspec.runtime.serve.limits import MIB, Limits

    check_extra()
    from archspec.runtime.serve.http.allowed_hosts import host_name
    from archspec.runtime.serve.http.server import ServeOptions, serve

    limits = Limits(
        body=max_request * MIB,
        pixels=max_pixels,
        queue=queue,
        batch=batch_size,
        seconds=timeout,
        connections=max_connections,
    )
    for each in allow_hosts:
        if not host_name(each):
            fact = f"`{printable(each)}` is not the name of a host"
            raise fail("bad-argument", fact, help="write the name alone, such as `--allow-host box.example`")
    options = ServeOptions(
        host=host,
        port=port,
        allow_hosts=tuple(allow_hosts),
        name=name,
        versions=versions,
        labels=dict(labels or {}),
        threads=threads,
        limits=limits,
        report=reporter(report),
    )
    serve(Path(as_path(model)), options)
