"""The course of a run: epochs of training and validation, watched for Ctrl-C and for a loss that is no number."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, fail
from archspec.lang.recipe import Length, Recipe
from archspec.runtime.interrupt import Interrupt
from archspec.runtime.loop import Score, make_count_step, replica_batches
from archspec.runtime.losses import validation_loss
from archspec.runtime.progress import TrainingProgress
from archspec.runtime.rates import LearningRate, Stopper
from archspec.runtime.record import Record
from archspec.runtime.step import TrainStep

INTERVAL = 0.1  # seconds between two looks at the loss: on a GPU each look waits for the device
PENDING = 64  # steps between two looks at most


@dataclass(frozen=True)
class Course:
    """All that the epochs need: where they run, what is trained, and the global batches."""

    strategy: Any
    model: Any
    logits_model: Any
    train_step: TrainStep
    recipe: Recipe
    length: Length
    training: Any
    """Batches of all epochs, one after the other."""
    validation: Any
    """Batches of one pass."""
    validation_steps: int


def run_epochs(course: Course, record: Record, progress: TrainingProgress, interrupt: Interrupt) -> bool:
    """Train and validate epoch after epoch, recording each, until the end or the recipe's early stopping.

    Returns whether it was interrupted.

    Raises:
        ArchspecError: `diverged`, `out-of-memory`, `data-changed`, `cannot-write`.
    """
    recipe, length, train_step = course.recipe, course.length, course.train_step
    rates, stopper = LearningRate(recipe, length), Stopper(recipe)
    count_step = make_count_step(course.strategy, course.logits_model, loss=validation_loss(recipe))
    batches = iter(replica_batches(course.strategy, course.training))
    validation = replica_batches(course.strategy, course.validation)
    watch = _Watch(course, progress)
    for epoch in range(length.epochs):
        started = time.perf_counter()
        rate = 0.0
        watch.begin(epoch)
        with tensorflow_failures(recipe.batch_size):
            for step in range(epoch * length.steps_per_epoch, min((epoch + 1) * length.steps_per_epoch, length.steps)):
                rate = rates.at(step)
                watch.step(train_step(batches, rate, length.updates(step, recipe.accumulated)))
                if interrupt.requested:
                    return True
            score = watch.end()
            trained = time.perf_counter()
            progress.validating()
            with train_step.averaged():
                val_score, _ = count(count_step, validation, course.validation_steps, lambda: interrupt.requested)
        if interrupt.requested:
            return True
        if not math.isfinite(val_score.loss):
            raise _diverged(recipe, f"the validation loss is {val_score.loss} after epoch {epoch + 1}", epoch)
        finished = time.perf_counter()
        watch.validation_seconds = finished - trained
        row = {
            "epoch": epoch + 1,
            "learning_rate": rate,
            "loss": score.loss,
            "top1": score.top1,
            "val_loss": val_score.loss,
            "val_top1": val_score.top1,
            **({"val_top5": val_score.top5} if course.logits_model.outputs[0].shape[-1] > 5 else {}),
            "seconds": round(finished - started, 3),
            "images_per_second": round(score.examples / (trained - started), 1),
        }
        with train_step.averaged():
            best = record.epoch(row, course.model)
        progress.epoch(row, best=best)
        dropped = rates.after(row)
        if dropped:
            progress.note(dropped)
        if stopper.after(row):
            progress.note(f"stopped early after epoch {epoch + 1}, as `early_stopping` asks")
            break
    return False


def count(
    count_step: Callable[[Any], Any], batches: Any, steps: int, stop: Callable[[], bool] = lambda: False
) -> tuple[Score, npt.NDArray[np.int64]]:
    """One pass over distributed batches: the Score, and the confusion matrix if `count_step` makes one."""
    score, table = Score(), np.zeros((), np.int64)
    iterator = iter(batches)
    for _ in range(steps):
        if stop():
            break
        vector, confusion = count_step(iterator)
        score += Score.of(vector)
        table = table + np.rint(confusion.numpy()).astype(np.int64)
    return score, table


class _Watch:
    """Adds up the scores of an epoch's steps, shows them, and stops at the first loss that is no number."""

    def __init__(self, course: Course, progress: TrainingProgress) -> None:
        self.course, self.progress = course, progress
        self.validation_seconds = 0.0
        self.epoch = 0
        self.score = Score()
        self._pending: list[Any] = []
        self._done = 0
        self._looked = self._measured_from = time.perf_counter()
        self._measured_steps = 0
        self._measured_images = 0.0

    def begin(self, epoch: int) -> None:
        self.epoch, self.score, self._done = epoch, Score(), 0
        self._looked = time.perf_counter()
        if epoch:
            self._measured_from, self._measured_steps, self._measured_images = self._looked, 0, 0.0

    def step(self, vector: Any) -> None:
        self._pending.append(vector)
        if len(self._pending) >= PENDING or time.perf_counter() - self._looked > INTERVAL:
            self._look()

    def end(self) -> Score:
        self._look()
        return self.score

    def _look(self) -> None:
        for vector in self._pending:
            score = Score.of(vector)
            self._done += 1
            if not math.isfinite(score.loss_sum):
                where = f"step {self._done} of {self.course.length.steps_per_epoch} in epoch {self.epoch + 1}"
                raise _diverged(self.course.recipe, f"the loss is {score.loss_sum} at {where}", self.epoch)
            self.score += score
            self._measured_images += score.examples
        now = self._looked = time.perf_counter()
        self._measured_steps += len(self._pending)
        self._pending = []
        if self.epoch == 0 and self._done == self._measured_steps == 1:
            # the first step traces the graph, and says nothing of the pace
            self._measured_from, self._measured_steps, self._measured_images = now, 0, 0.0
            return
        seconds = max(now - self._measured_from, 1e-9)
        length = self.course.length
        epochs_left = length.epochs - self.epoch
        steps_left = length.steps - self.epoch * length.steps_per_epoch - self._done
        left = steps_left * seconds / max(self._measured_steps, 1) + epochs_left * self.validation_seconds
        speed = self._measured_images / seconds
        self.progress.steps(self.epoch + 1, self._done, self.score.loss, self.score.top1, speed, left)


def _diverged(recipe: Recipe, fact: str, finished_epochs: int) -> ArchspecError:
    kept = (
        f"best.keras and last.keras are from before, last.keras from the end of epoch {finished_epochs}"
        if finished_epochs
        else "no epoch was finished, so no network is kept"
    )
    rate = recipe.optimizer.learning_rate
    setting = f"train.optimizer.{recipe.optimizer.name}.learning_rate={rate / 10:g}"
    return fail("diverged", fact, notes=[kept], help=f"a smaller learning rate: `--set {setting}`")


@contextlib.contextmanager
def tensorflow_failures(batch_size: int) -> Iterator[None]:
    """What TensorFlow may raise in the middle of a pass, as errors with a remedy."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        fact = f"a batch of {batch_size} images does not fit into the memory of the device"
        raise fail("out-of-memory", fact, help=f"a smaller batch, such as {max(batch_size // 2, 1)}") from error
    except (tf.errors.NotFoundError, tf.errors.InvalidArgumentError) as error:
        if not any(word in str(error).lower() for word in ("readfile", "decode", "jpeg", "no such file")):
            raise
        fact = "an image file could be read before, and no longer can"
        note = f"TensorFlow says: {str(error.message).splitlines()[0][:300]}"
        raise fail("data-changed", fact, notes=[note], help="leave the images as they are during the run") from error
