"""Run a protocol: the posteriors of many images, with a bounded number of views in memory."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import counted
from archspec.format import duration, throughput
from archspec.lang.declarations import to_one_key
from archspec.ops.base import Shape
from archspec.protocols import Protocol, ViewSet
from archspec.protocols.base import passes
from archspec.runtime.data.files.file_checks import ChangeDetector
from archspec.runtime.data.files.fingerprint import fingerprint
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.pipeline.batches import evaluation_batches
from archspec.runtime.data.pipeline.preprocess import check_preprocess
from archspec.runtime.evaluation.inference.journal import Journal, journal
from archspec.runtime.evaluation.inference.predictor import Predictor
from archspec.runtime.evaluation.inference.views import view_steps
from archspec.runtime.system.tensorflow_errors import tensorflow_failures
from archspec.version import __version__

INTERVAL = 10.0
"""Seconds between two lines of progress."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Posteriors:
    """The result of `run_protocol`."""

    posteriors: npt.NDArray[np.float32]
    """(N, classes)."""
    passes: int
    """Forward passes for an image."""
    scales: str
    """Smallest sides of the rescaled images, pixels: `224, 256, 288`."""
    images_per_second: float | None
    """Throughput of reading, rescaling and the network, after the first batch."""
    journal_key: dict[str, Any]
    """Identifies the journal, which is removed when the whole evaluation is done."""


def run_protocol(
    network: Predictor,
    images: Images,
    protocol: Protocol,
    *,
    batch_size: int,
    report: Report,
    after_batch: Callable[[], None] = lambda: None,
) -> Posteriors:
    """The averaged softmax outputs of every image. Continues where an interrupted process stopped.

    Args:
        batch_size: views in a step, over all devices; larger views than the network's input count as several.
        after_batch: called when a batch is in the journal; an exception that it raises ends the evaluation.

    Raises:
        ArchspecError: those of `Protocol.plan` and `check_preprocess`, `not-convolutional`, `out-of-memory`,
            `data-changed`.
    """
    preprocess, resize = network.metadata.preprocess, network.metadata.resize
    check_preprocess(network.input_shape, preprocess)
    plan = protocol.plan(network.input_shape, resize)
    key = {
        "archspec": __version__,
        "model": network.checksum,
        "preprocess": [to_one_key(each) for each in preprocess],
        "resize": resize,
        "protocol": to_one_key(protocol),
        "data": fingerprint(images),
    }
    with journal(key, len(images), network.classes, report) as kept:
        missing = np.flatnonzero(~kept.done)
        if kept.done.any():
            report(f"{kept.done.sum():,} of {counted(len(images), 'image')} were done before the last run was stopped")
        steps: Iterable[tuple[Rows, Any]] = ()
        if len(missing):
            single = len(plan) == 1 and plan[0].is_validation_view(network.input_shape)
            steps = (_validation_steps if single else view_steps)(network, images, missing, plan, batch_size)
        restore = "restore it, and run the same command again to continue"
        with tensorflow_failures(batch_size, ChangeDetector(images).changed, restore=restore):
            _record(steps, kept, missing, report, after_batch)
        scales = _scales((size for views in plan for size in views.sizes), network.input_shape[:-1])
        return Posteriors(kept.posteriors, passes(plan), scales, kept.images_per_second, key)


def _scales(sizes: Iterable[int | None], sides: Shape) -> str:
    """Smallest sides of the rescaled images, for tables; None stands for the side of the input."""
    own = str(sides[0]) if len(set(sides)) == 1 and sides[0] else "input"
    return ", ".join(dict.fromkeys(own if size is None else str(size) for size in sizes))


def _record(
    steps: Iterable[tuple[Rows, Any]], kept: Journal, missing: Rows, report: Report, after_batch: Callable[[], None]
) -> None:
    """Add the results of the steps to the journal, and report progress."""
    started = told = last = time.perf_counter()
    done = 0
    for rows, posteriors in steps:
        found = np.asarray(posteriors)
        now = time.perf_counter()
        # the first batch includes tracing, and counts only if it is the only one
        kept.add(rows, found, now - last if done or len(rows) == len(missing) else math.nan)
        last, done = now, done + len(rows)
        if now - told > INTERVAL and done < len(missing):
            told, speed = now, done / (now - started)
            left = duration((len(missing) - done) / speed)
            report(
                f"{kept.done.sum():,} of {counted(len(kept.done), 'image')}, {throughput(speed)} images/s, {left} left"
            )
        after_batch()


def _validation_steps(
    network: Predictor, images: Images, rows: Rows, plan: Sequence[ViewSet], batch_size: int
) -> Iterator[tuple[Rows, Any]]:
    """(rows, posteriors) of one batch at a time: one view of each image, by the pipeline of training's validation."""
    batches = evaluation_batches(
        images if len(rows) == len(images) else images.only(rows),
        input_shape=network.input_shape,
        batch_size=batch_size,
        preprocess=network.metadata.preprocess,
        resize=plan[0].sizes[0],
    )
    start = 0
    for x, _ in batches:
        yield rows[start : start + len(x)], network.of_inputs(x)
        start += len(x)
