"""Metrics in the format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """What a server counts.

    Args:
        queued: the instances that are prepared, wait or are computed.
        connections: the open connections.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, queued: Callable[[], float], connections: Callable[[], float]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        PlatformCollector(registry)
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "archspec_requests",
            "Requests by endpoint, model and status.",
            ("endpoint", "model", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "archspec_request_seconds", "Time from the header of a request to its answer.", ("endpoint",),
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        # looking a series up by its labels takes as long as counting
        self._answers = cache(lambda endpoint, model, status: self._requests.labels(endpoint, model, str(status)))
        self._durations = cache(self._seconds.labels)
        self._batch_rows = Histogram("archspec_batch_rows", "Instances in a batch.", buckets=ROWS, registry=registry)
        self._batch_seconds = Histogram(
            "archspec_batch_seconds", "Time in which a batch is computed.", buckets=SECONDS, registry=registry
        )
        gauge = Gauge("archspec_queue_rows", "Instances that wait or are computed.", registry=registry)
        gauge.set_function(queued)
        gauge = Gauge("archspec_connections", "Open connections.", registry=registry)
        gauge.set_function(connections)

    def request(self, endpoint: str, model: str, status: int, seconds: float) -> None:
        """Count a request. The model is one that is served, or empty: clients must not invent label values."""
        self._answers(endpoint, model, status).inc()
        self._durations(endpoint).observe(seconds)

    def batch(self, rows: int, seconds: float) -> None:
        """Count a batch."""
        self._batch_rows.observe(rows)
        self._batch_seconds.observe(seconds)

    def text(self) -> bytes:
        """All metrics."""
        return generate_latest(self.registry)
