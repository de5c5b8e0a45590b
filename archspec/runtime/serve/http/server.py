"""A running server: its sockets, threads and signals, from the start to the end of the last request."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import signal
import socket
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import uvicorn

from archspec.diagnostics import fail, printable
from archspec.runtime.serve.http.allowed_hosts import AllowedHosts
from archspec.runtime.serve.http.app import App
from archspec.runtime.serve.http.http_protocol import GuardedProtocol
from archspec.runtime.serve.http.metrics import Metrics
from archspec.runtime.serve.limits import Limits
from archspec.runtime.serve.models.batcher import Batcher
from archspec.runtime.serve.models.loaded_version import LoadedVersion, load_version
from archspec.runtime.serve.models.model_source import ModelSource, model_source
from archspec.runtime.serve.models.model_store import ModelStore
from archspec.runtime.system.tensorflow_import import native_messages_discarded

BACKLOG = 128


@dataclass(frozen=True)
class ServeOptions:
    """How models are served.

    Attributes:
        host: address to listen on.
        port: 0 for a free one.
        allow_hosts: names by which clients may call a server on loopback, besides `localhost`.
        name: of a single model; by default that of its folder.
        versions: how many of the newest versions of each model are served.
        labels: label -> version.
        threads: of the library that runs the model; 0 for its default.
        limits: the bounds of the server.
        report: receives lines about what the server does.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    allow_hosts: tuple[str, ...] = ()
    name: str | None = None
    versions: int = 1
    labels: Mapping[str, int] = field(default_factory=dict)
    threads: int = 0
    limits: Limits = field(default_factory=Limits)
    report: Callable[[str], None] = lambda line: None


class _Config(uvicorn.Config):
    limits: Limits


class _Uvicorn(uvicorn.Server):
    """Leaves signals to `Server`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Server:
    """Serves the models of a source until `stop`.

    Raises:
        ArchspecError: `cannot-listen`; `not-served`, `missing-package`.
    """

    def __init__(self, source: ModelSource, options: ServeOptions, listener: socket.socket) -> None:
        limits = options.limits
        self._report = partial(_report, options.report)
        load = partial(_load, options=options, model_file=source.model_file)
        self._listener, self._options = listener, options
        self._store = ModelStore(source, load, keep=options.versions, labels=options.labels, report=self._report)
        self._uvicorn: _Uvicorn | None = None
        self._batcher = Batcher(limits, lambda rows, seconds: self._metrics.batch(rows, seconds))
        self._metrics = Metrics(lambda: self._batcher.rows, self._connections)
        self._app = App(
            self._store,
            self._batcher,
            self._metrics,
            limits,
            overloaded=lambda: self._connections() > limits.connections,
            stopping=lambda: self._uvicorn is not None and self._uvicorn.should_exit,
            hosts=AllowedHosts((options.host, *options.allow_hosts)) if is_loopback(listener) else None,
        )
        self.started = threading.Event()

    def _connections(self) -> int:
        return len(self._uvicorn.server_state.connections) if self._uvicorn is not None else 0

    @property
    def address(self) -> str:
        """`http://127.0.0.1:8501`."""
        host, port = self._listener.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self) -> None:
        """Load the models, and answer requests until `stop`; then finish those that are under way."""
        self._store.load_all()
        limits = self._options.limits
        config = _Config(
            self._app,
            http=GuardedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # clients that break off are no event
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=int(limits.idle_seconds),
            timeout_graceful_shutdown=int(limits.drain_seconds),
        )
        config.limits = limits
        self._uvicorn = _Uvicorn(config)
        logging.getLogger("python_multipart").setLevel(logging.ERROR)  # damaged forms get an answer
        self._batcher.start()
        self._store.start()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's, of large images and damaged metadata
                with asyncio.Runner(loop_factory=_event_loop()) as runner:
                    runner.run(self._serve(self._uvicorn))
        finally:
            self._store.stop()
            self._batcher.stop()
            self._app.close()

    async def _serve(self, server: uvicorn.Server) -> None:
        self._listener.listen(BACKLOG)
        self._report(f"listening on {self.address}")
        loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                with contextlib.suppress(NotImplementedError):  # on Windows
                    loop.add_signal_handler(number, self.stop)
        self.started.set()
        await server.serve(sockets=[self._listener])

    def stop(self) -> None:
        """Accept no more connections, and end after the requests that are under way; a second call ends at once."""
        if self._uvicorn is None:
            return
        if self._uvicorn.should_exit:
            self._uvicorn.force_exit = True
            return
        self._uvicorn.should_exit = True
        self._report("stopping after the requests that are under way")


def _event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop, which takes less time; None for that of Python where there is none, as on Windows."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _report(report: Callable[[str], None], line: str) -> None:
    """Report a line; that nobody reads the log any more must not stop the server, or keep it from stopping."""
    with contextlib.suppress(OSError, ValueError):
        report(line)


def _load(folder: Path, *, options: ServeOptions, model_file: Path | None) -> LoadedVersion:
    limits = options.limits
    version = load_version(folder, threads=options.threads, most_pixels=limits.pixels, model_file=model_file)
    version.warm_up([1, limits.batch])
    return version


def listener(host: str, port: int) -> socket.socket:
    """A socket that is bound to an address. Raises ArchspecError: `cannot-listen`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except BaseException:
            bound.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        in_use = isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES)
        raise fail(
            "cannot-listen",
            f"cannot listen on {printable(host)} port {port}: {reason}",
            help="choose another `--port`, 0 for any free one"
            if in_use and not isinstance(error, socket.gaierror)
            else "`--host` is a name or an address of this machine: 127.0.0.1, or 0.0.0.0 for all its addresses",
        ) from None
    return bound


def is_loopback(bound: socket.socket) -> bool:
    """Whether only this machine can reach a socket."""
    return ipaddress.ip_address(bound.getsockname()[0].partition("%")[0]).is_loopback


def serve(path: Path, options: ServeOptions) -> None:
    """Serve what is at `path` until a signal. See `archspec.serve`."""
    with contextlib.closing(listener(options.host, options.port)) as bound:
        if not is_loopback(bound):
            options.report(
                "warning: everyone who can reach this machine can use the server: it has no passwords and no encryption"
            )
        with model_source(path, options.name, options.report) as source, native_messages_discarded():
            # libjpeg writes a line for every damaged image that a client sends
            Server(source, options, bound).run()
