"""`archspec serve MODEL`."""

from __future__ import annotations

import re
from pathlib import Path

import click

from archspec import api
from archspec.cli.options import count_option
from archspec.cli.terminal import progress_line


@click.command("serve")
@click.argument("model", metavar="DIR|RUN", type=click.Path(path_type=Path))
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=8501,
    show_default=True,
    help="Port to listen on; 0 for a free one.",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="Name besides localhost that the server answers to, such as that of a proxy. A server that other machines "
    "can reach answers to any name.",
)
@click.option(
    "--name", metavar="NAME", help="Name of a single model, in /v1/models/NAME.  [default: that of its folder]"
)
@count_option("--versions", 1, "Serve the N newest versions of each model")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="LABEL=VERSION",
    help="Serve this version too, as /v1/models/NAME/labels/LABEL: stable=1.",
)
@count_option("--threads", 0, "Threads that compute; 0 for the default of the library that runs the model", least=0)
@count_option("--batch-size", 16, "Compute at most N images of waiting requests together")
@count_option("--queue", 256, "Let at most N images wait; more get the status 429")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    default=30.0,
    show_default=True,
    help="Time for a request; then it gets the status 504, or 408 while it is still being sent.",
)
@count_option("--max-request", 32, "Size of a request in MiB; larger ones get the status 413", metavar="MIB")
@count_option("--max-pixels", 32_000_000, "Pixels of an image; larger ones are refused by their header")
@count_option("--max-connections", 256, "Open connections; more get the status 503")
def command(
    model: Path,
    host: str,
    port: int,
    allow_hosts: tuple[str, ...],
    name: str | None,
    versions: int,
    labels: tuple[str, ...],
    threads: int,
    batch_size: int,
    queue: int,
    timeout: float,
    max_request: int,
    max_pixels: int,
    max_connections: int,
) -> None:
    """Serve a model over HTTP: a page to try images on, and TensorFlow Serving's REST API.

    DIR is the folder that `archspec export -o DIR` wrote, or a folder of several of them. A new version that appears in
    it replaces the older one. RUN is a run directory or a `.keras` file, which is exported into a temporary folder.

    \b
    GET  /                            page: drop an image, see its classes
    POST /predict                     image files
    POST /v1/models/NAME:predict      as TensorFlow Serving
    GET  /healthz, /readyz, /metrics  for the operator

    \b
    archspec serve served
    curl -F image=@photo.jpg localhost:8501/predict

    SIGTERM and Ctrl-C let the requests that are under way finish. The server has neither passwords nor encryption:
    keep it on this machine, or behind a proxy that has them.
    """
    api.serve(
        model,
        host=host,
        port=port,
        allow_hosts=allow_hosts,
        name=name,
        versions=versions,
        labels=dict(map(_label, labels)),
        threads=threads,
        batch_size=batch_size,
        queue=queue,
        timeout=timeout,
        max_request=max_request,
        max_pixels=max_pixels,
        max_connections=max_connections,
        report=progress_line,
    )


def _label(text: str) -> tuple[str, int]:
    found = re.fullmatch(r"([^/:=]+)=([0-9]{1,18})", text)
    if found is None:
        raise click.BadParameter(f"`{text}` does not have the form LABEL=VERSION: stable=1", param_hint="--label")
    return found[1], int(found[2])
