"""NaN or infinite losses: noticed in the metrics of an epoch, and traced to the first layer with such an output."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from archspec.lang.recipes.recipe import RunLength
from archspec.runtime.distributed.strategy import replicas_in_step
from archspec.runtime.models.metrics import MetricSums
from archspec.runtime.training.records.checkpoint import ProgressState, capture, non_finite
from archspec.runtime.training.records.progress import TrainingProgress

INTERVAL = 0.1  # seconds between two reads of the loss: on a GPU each read waits for the device
PENDING = 64  # most steps between two reads


class DivergedError(Exception):
    """A loss or variable is NaN or infinite: `fact` says which. `step`, counted from 0 over the run, made it so."""

    def __init__(self, step: int, fact: str) -> None:
        super().__init__(step, fact)
        self.step, self.fact = step, fact


class LossMonitor:
    """Adds up the metrics of an epoch's steps, and raises DivergedError at a NaN or infinite loss.

    Args:
        length: of the run.
        waited: returns the seconds that steps have waited for data so far.
        sync_steps: read the losses every so many steps, so that several workers read at the same step; None reads them
            by the clock.
    """

    def __init__(
        self, length: RunLength, progress: TrainingProgress, waited: Callable[[], float], sync_steps: int | None = None
    ) -> None:
        self.length, self.progress, self.waited, self.sync_steps = length, progress, waited, sync_steps
        self.validation_seconds = 0.0
        self.epoch = 0
        self.metrics = MetricSums()
        self._pending: list[Any] = []
        self._done = 0
        self._traced = False
        self._last_read = self._measured_from = time.perf_counter()
        self._measured_steps = 0
        self._measured_images = 0.0
        self._waited_before = self._epoch_waited_before = 0.0

    def begin(self, state: ProgressState) -> None:
        """Start an epoch, or resume one."""
        self.epoch, self.metrics, self._done, self._pending = state.epoch, state.metrics, state.done, []
        self._last_read, self._epoch_waited_before = time.perf_counter(), self.waited()
        if self._traced:
            self._measure_from_now()

    def _measure_from_now(self) -> None:
        self._measured_from, self._measured_steps, self._measured_images = self._last_read, 0, 0.0
        self._waited_before = self.waited()

    @property
    def waited_in_epoch(self) -> float:
        """Seconds that the steps of the epoch have waited for data, since it was started or resumed."""
        return self.waited() - self._epoch_waited_before

    def step(self, vector: Any) -> None:
        """Add a step that was started, perhaps not yet computed. Raises DivergedError, also of earlier steps."""
        self._pending.append(vector)
        if self.sync_steps:
            due = len(self._pending) >= self.sync_steps
        else:
            due = len(self._pending) >= PENDING or time.perf_counter() - self._last_read > INTERVAL
        if due:
            self.read()

    def read(self) -> MetricSums:
        """Wait for all steps that were started. Returns the sums of the epoch so far. Raises DivergedError."""
        for vector in self._pending:
            metrics = MetricSums.of(vector)
            if not math.isfinite(metrics.loss_sum):
                where = f"step {self._done + 1} of {self.length.steps_per_epoch} in epoch {self.epoch + 1}"
                raise DivergedError(
                    self.epoch * self.length.steps_per_epoch + self._done, f"the loss is {metrics.loss_sum} at {where}"
                )
            self._done += 1
            self.metrics += metrics
            self._measured_images += metrics.examples
        now = self._last_read = time.perf_counter()
        self._measured_steps += len(self._pending)
        self._pending = []
        if not self._traced and self._measured_steps:
            # the first step traces the graph: leave it out of the speed
            self._traced = True
            if self._measured_steps == 1:
                self._measure_from_now()
                return self.metrics
        seconds = max(now - self._measured_from, 1e-9)
        epochs_left = self.length.epochs - self.epoch
        steps_left = self.length.steps - self.epoch * self.length.steps_per_epoch - self._done
        left = steps_left * seconds / max(self._measured_steps, 1) + epochs_left * self.validation_seconds
        speed = self._measured_images / seconds
        waiting = (self.waited() - self._waited_before) / seconds
        self.progress.steps(self.epoch + 1, self._done, self.metrics, speed, waiting, left)
        return self.metrics


def find_non_finite(strategy: Any, model: Any, x: Any) -> list[str]:
    """Check the weights, then the output of each layer for the batch x (b, *input) in training mode.

    With several workers each checks its part of the batch, and all get the same result.

    Args:
        x: None checks the weights only.

    Returns:
        Sentences that name the first weight or layer, in the order of the network, that is NaN or infinite.
    """
    import keras
    import tensorflow as tf

    names = non_finite(capture(model.variables))
    if names:
        return [f"`{names[0].replace('.', '/')}` was not finite before that step: the previous update was too large"]
    if x is None:
        return []
    layers = [layer for layer in model.layers if isinstance(layer.output, keras.KerasTensor)]
    replicas: int = strategy.num_replicas_in_sync
    probe = keras.Model(model.inputs, [layer.output for layer in layers])

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def check(x: Any) -> Any:
        def replica(x: Any) -> Any:
            outputs = [tf.cast(output, tf.float32) for output in probe(x, training=True)]
            finite = [tf.reduce_all(tf.math.is_finite(output)) for output in outputs]
            greatest = [tf.reduce_max(tf.abs(output)) for output in outputs]
            found = tf.stack([tf.cast(tf.stack(finite), tf.float32), tf.stack(greatest)])[None]
            # each worker has a part of the batch
            return tf.distribute.get_replica_context().all_gather(found, axis=0) if replicas > 1 else found

        with replicas_in_step(model, replicas):
            return strategy.run(replica, args=(x,))

    found = np.asarray(strategy.experimental_local_results(check(x))[0])
    paths = [layer.name.replace(".", "/") for layer in layers]  # as in the spec: `conv1/bn`
    finite, greatest = found[:, 0].min(axis=0) > 0, found[:, 1].max(axis=0)
    if finite.all():
        top = int(greatest.argmax())
        return [f"all layer outputs are finite; the largest is {greatest[top]:.2g}, of `{paths[top]}`"]
    first = int(np.argmin(finite))
    if not first:
        return ["the images of that step contain NaN or infinite values"]
    before = int(greatest[:first].argmax())
    return [
        f"`{paths[first]}` is the first layer whose output is not finite",
        f"the largest output of the layers before it is {greatest[before]:.2g}, of `{paths[before]}`",
    ]
