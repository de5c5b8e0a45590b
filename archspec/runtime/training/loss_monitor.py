"""The scores of an epoch's steps: added up, shown, and searched for the first loss that is no number."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from archspec.lang.recipes.recipe import Length
from archspec.runtime.models.metrics import MetricSums
from archspec.runtime.training.progress_state import Position
from archspec.runtime.training.records.progress import TrainingProgress

INTERVAL = 0.1  # seconds between two looks at the loss: on a GPU each look waits for the device
PENDING = 64  # steps between two looks at most


class DivergedError(Exception):
    """A number is not finite: `fact` says which; the weights were last good before `step`, from 0 over the run."""

    def __init__(self, step: int, fact: str) -> None:
        super().__init__(step, fact)
        self.step, self.fact = step, fact


class Watch:
    """Adds up the scores of an epoch's steps.

    Args:
        length: of the run.
        waited: seconds that steps have waited for data so far.
        steps_at_once: look after so many steps, where several processes must look at the same ones; else by the clock.
    """

    def __init__(
        self, length: Length, progress: TrainingProgress, waited: Callable[[], float], steps_at_once: int | None = None
    ) -> None:
        self.length, self.progress, self.waited, self.steps_at_once = length, progress, waited, steps_at_once
        self.validation_seconds = 0.0
        self.epoch = 0
        self.score = MetricSums()
        self._pending: list[Any] = []
        self._done = 0
        self._traced = False
        self._looked = self._measured_from = time.perf_counter()
        self._measured_steps = 0
        self._measured_images = 0.0
        self._waited_before = self._epoch_waited_before = 0.0

    def begin(self, position: Position) -> None:
        """An epoch begins, or goes on from where it was."""
        self.epoch, self.score, self._done, self._pending = position.epoch, position.score, position.done, []
        self._looked, self._epoch_waited_before = time.perf_counter(), self.waited()
        if self._traced:
            self._measure_from_now()

    def _measure_from_now(self) -> None:
        self._measured_from, self._measured_steps, self._measured_images = self._looked, 0, 0.0
        self._waited_before = self.waited()

    @property
    def waited_in_epoch(self) -> float:
        """Seconds that the steps of the epoch have waited for data, since it began or went on."""
        return self.waited() - self._epoch_waited_before

    def step(self, vector: Any) -> None:
        """A step was started; its score may not be there yet. Raises DivergedError, perhaps for an earlier step."""
        self._pending.append(vector)
        if self.steps_at_once:
            due = len(self._pending) >= self.steps_at_once
        else:
            due = len(self._pending) >= PENDING or time.perf_counter() - self._looked > INTERVAL
        if due:
            self.look()

    def look(self) -> MetricSums:
        """Wait for all steps that were started: the sums of the epoch so far. Raises DivergedError."""
        for vector in self._pending:
            score = MetricSums.of(vector)
            if not math.isfinite(score.loss_sum):
                where = f"step {self._done + 1} of {self.length.steps_per_epoch} in epoch {self.epoch + 1}"
                raise DivergedError(
                    self.epoch * self.length.steps_per_epoch + self._done, f"the loss is {score.loss_sum} at {where}"
                )
            self._done += 1
            self.score += score
            self._measured_images += score.examples
        now = self._looked = time.perf_counter()
        self._measured_steps += len(self._pending)
        self._pending = []
        if not self._traced and self._measured_steps:
            # the first step traces the graph, and says nothing of the pace
            self._traced = True
            if self._measured_steps == 1:
                self._measure_from_now()
                return self.score
        seconds = max(now - self._measured_from, 1e-9)
        epochs_left = self.length.epochs - self.epoch
        steps_left = self.length.steps - self.epoch * self.length.steps_per_epoch - self._done
        left = steps_left * seconds / max(self._measured_steps, 1) + epochs_left * self.validation_seconds
        speed = self._measured_images / seconds
        waiting = (self.waited() - self._waited_before) / seconds
        self.progress.steps(self.epoch + 1, self._done, self.score, speed, waiting, left)
        return self.score
