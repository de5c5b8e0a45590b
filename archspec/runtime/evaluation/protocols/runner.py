"""The posteriors of many images under a protocol, a bounded number of views in memory at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.format import duration, throughput
from archspec.lang.declarations.one_key import to_one_key
from archspec.ops.base import Shape
from archspec.protocols import Protocol
from archspec.protocols.base import passes
from archspec.runtime.data.files.change_detector import ChangeDetector
from archspec.runtime.data.files.fingerprint import fingerprint
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.pipeline.batches import evaluation_batches
from archspec.runtime.data.pipeline.preprocess import check_preprocess
from archspec.runtime.evaluation.protocols.journal import Journal, journal
from archspec.runtime.evaluation.protocols.predictor import Classifier
from archspec.runtime.evaluation.protocols.views import view_steps
from archspec.runtime.system.tensorflow_errors import tensorflow_failures
from archspec.version import __version__

INTERVAL = 10.0  # seconds between two lines of progress

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Course:
    """What `run_protocol` found: the posteriors (N, classes), float32, and at what cost."""

    posteriors: npt.NDArray[np.float32]
    passes: int
    """Forward passes an image."""
    scales: str
    """Smallest sides of the rescaled images, pixels: `224, 256, 288`."""
    images_per_second: float | None
    """Reading, rescaling and the network, after the first batch."""
    key: dict[str, Any]
    """Of the journal, to be forgotten when all is done."""


def run_protocol(
    network: Classifier,
    images: Images,
    protocol: Protocol,
    *,
    batch_size: int,
    report: Report,
    look: Callable[[], None] = lambda: None,
) -> Course:
    """The averaged softmax outputs of every image. It goes on where an earlier process was stopped.

    batch_size: views a step, over all devices together; larger views count as several.
    look: called after each batch, when it is in the journal; what it raises ends the evaluation.

    Raises:
        ArchspecError: those of `Protocol.plan` and `check_preprocess`, `not-convolutional`, `out-of-memory`,
            `data-changed`.
    """
    resize = network.metadata.resize
    check_preprocess(network.input_shape, network.metadata.preprocess)
    plan = protocol.plan(network.input_shape, resize)
    single = len(plan) == 1 and plan[0].is_validation_view(network.input_shape)
    scales = _scales((size for views in plan for size in views.sizes), network.input_shape[:-1])
    key = {
        "archspec": __version__,
        "model": network.checksum,
        "preprocess": [to_one_key(each) for each in network.metadata.preprocess],
        "resize": resize,
        "protocol": to_one_key(protocol),
        "data": fingerprint(images),
    }
    with journal(key, len(images), network.classes, report) as kept:
        missing = np.flatnonzero(~kept.done)
        if kept.done.any():
            report(f"{kept.done.sum():,} of {len(images):,} images were done before the last run was stopped")
        if not len(missing):
            steps: Iterator[tuple[Rows, Any]] = iter(())
        elif single:
            steps = _center_steps(network, images, missing, plan[0].sizes[0], batch_size)
        else:
            steps = view_steps(network, images, missing, plan, batch_size)
        again = "put it back as it was; the same command goes on from there"
        with tensorflow_failures(batch_size, ChangeDetector(images).changed, restore=again):
            _record(steps, kept, missing, report, look)
        return Course(kept.posteriors, passes(plan), scales, kept.images_per_second, key)


def _scales(sizes: Iterable[int | None], sides: Shape) -> str:
    """Smallest sides of the rescaled images as a table names them; where none is given, that of the input."""
    own = str(sides[0]) if len(set(sides)) == 1 and sides[0] else "input"
    return ", ".join(dict.fromkeys(own if size is None else str(size) for size in sizes))


def _record(
    steps: Iterator[tuple[Rows, Any]], kept: Journal, missing: Rows, report: Report, look: Callable[[], None]
) -> None:
    """Enter what the steps give into the journal, and tell how far it is."""
    started = told = last = time.perf_counter()
    done = 0
    for rows, posteriors in steps:
        found = np.asarray(posteriors)
        now = time.perf_counter()
        # the first batch traces the graph, and says nothing of the pace unless it is the only one
        kept.add(rows, found, now - last if done or len(rows) == len(missing) else math.nan)
        last, done = now, done + len(rows)
        if now - told > INTERVAL and done < len(missing):
            told, speed = now, done / (now - started)
            left = duration((len(missing) - done) / speed)
            report(f"{kept.done.sum():,} of {len(kept.done):,} images, {throughput(speed)} images/s, {left} left")
        look()


def _center_steps(
    network: Classifier, images: Images, rows: Rows, size: int | None, batch_size: int
) -> Iterator[tuple[Rows, Any]]:
    """A batch at a time, one view each, through the pipeline of training's validation."""
    batches = evaluation_batches(
        subset(images, rows),
        input_shape=network.input_shape,
        batch_size=batch_size,
        preprocess=network.metadata.preprocess,
        resize=size,
    )
    start = 0
    for x, _ in batches:
        yield rows[start : start + len(x)], network.of_inputs(x)
        start += len(x)


def subset(images: Images, rows: Rows) -> Images:
    """Those rows, in that order."""
    return images if len(rows) == len(images) else images.only(rows)
