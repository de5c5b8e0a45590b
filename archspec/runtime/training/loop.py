"""The course of a run: epochs of training and validation, checkpoints, and what may come in between."""

from __future__ import annotations

import contextlib
import math
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, fail, listed
from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.distributed.collectives import Collectives
from archspec.runtime.models.metrics import MetricSums
from archspec.runtime.system.signals import Interrupt
from archspec.runtime.system.tensorflow_errors import tensorflow_failures
from archspec.runtime.training.loss_monitor import DivergedError, Watch
from archspec.runtime.training.nan_debugger import blown_up
from archspec.runtime.training.optimization.losses import validation_loss
from archspec.runtime.training.optimization.lr_schedule import LearningRate, Stopper
from archspec.runtime.training.progress_state import Position
from archspec.runtime.training.records.checkpoint import Checkpoints, capture, latest, restore, unfinite
from archspec.runtime.training.records.checkpoint_file import Checkpoint
from archspec.runtime.training.records.progress import TrainingProgress
from archspec.runtime.training.records.run_logger import Record
from archspec.runtime.training.replica_batches import make_count_step, replica_batches
from archspec.runtime.training.setup import Course

TOGETHER = 8  # steps after which several processes look at the losses, and ask each other for signals


class Run:
    """A course on its way: takes the steps, and keeps what it takes to go on from any of them."""

    def __init__(
        self,
        course: Course,
        record: Record,
        progress: TrainingProgress,
        checkpoints: Checkpoints,
        interrupt: Interrupt,
        collectives: Collectives,
    ) -> None:
        self.course, self.record, self.progress, self.checkpoints = course, record, progress, checkpoints
        self.interrupt, self.collectives = interrupt, collectives
        self.rates, self.stopper = LearningRate(course.recipe, course.length), Stopper(course.recipe)
        loss = validation_loss(course.recipe)
        self.count_step = make_count_step(course.strategy, course.logits_model, loss=loss)
        self.validation = replica_batches(course.strategy, course.validation, course.share)
        self._noted_stop = False
        self.watch = Watch(
            course.length,
            progress,
            lambda: float(course.train_step.waited.numpy()),
            TOGETHER if collectives.cluster else None,
        )

    @property
    def restore(self) -> str:
        """The remedy for images that have changed."""
        again = f"archspec train --resume {shlex.quote(str(self.record.directory))}"
        return f"put it back as it was, and go on from the last checkpoint: `{again}`"

    def batches(self, step: int) -> Any:
        """An iterator over the training batches of all replicas, from a step of the run on."""
        return iter(replica_batches(self.course.strategy, self.course.training(step), self.course.share))

    def take(self, batches: Any, step: int) -> tuple[Any, float]:
        """Take a step of the run, counted from 0: the vector of its MetricSums, and the learning rate."""
        rate = self.rates.at(step)
        update = self.course.length.updates(step, self.course.recipe.accumulated)
        return self.course.train_step(batches, rate, update), rate

    def asked_to_end(self, step: int | None = None) -> bool:
        """Whether a worker got a signal to stop. Several workers ask each other only every TOGETHER steps."""
        if self.collectives.cluster is None:
            return self.interrupt.requested
        if step is not None and step % TOGETHER:
            return False
        asked = self.collectives.workers_where(self.interrupt.requested)
        if asked and not self.interrupt.requested and not self._noted_stop:
            self._noted_stop = True
            names = listed(self.collectives.cluster.name(worker) for worker in asked)
            self.progress.note(f"{names} got a signal to stop: finishing this step, then saving")
        return bool(asked)

    def checkpoint_due(self, step: int) -> bool:
        """Whether to save after that step, on all processes or on none: the clock is that of the one that writes."""
        if self.collectives.cluster is None or self.checkpoints.every.seconds is None:
            return self.checkpoints.due(step)
        return step % TOGETHER == 0 and self.collectives.any(self.record.writes and self.checkpoints.due(step))

    def save(self, position: Position) -> None:
        """A checkpoint. Raises DivergedError when what it would keep is not finite, and `cannot-write`."""
        arrays = capture(self.course.train_step.variables())
        step = position.step(self.course.length.steps_per_epoch)
        bad = unfinite(arrays)
        if self.collectives.any(bool(bad)):  # and all of them take the same way
            what = f"`{bad[0]}`" if bad else "a variable of another worker"
            raise DivergedError(step, f"{what} is not finite after step {step}")
        state = {
            "position": position.to_json(),
            "rates": self.rates.state(),
            "stopper": self.stopper.state(),
            "record": self.record.state(),
            "page": self.record.page_digest,
        }
        if self.record.writes:
            self.checkpoints.save(step, Checkpoint(arrays, state))

    def load(self, checkpoint: Checkpoint) -> Position:
        """Go back to a checkpoint, for training; what was recorded stays. Raises `checkpoint-differs`."""
        if checkpoint.state["page"] != self.record.page_digest:
            help = "put it back as it was, or start a new run"
            raise fail("checkpoint-differs", "page.yaml was changed after the checkpoint was written", help=help)
        restore(self.course.train_step.variables(), checkpoint.arrays)
        self.rates.restore(checkpoint.state["rates"])
        self.stopper.restore(checkpoint.state["stopper"])
        return Position.from_json(checkpoint.state["position"])

    def write(self, *, model: bool = True) -> None:
        """The files of the epochs that are finished, with the network after the last of them."""
        with self.course.train_step.averaged():
            self.record.write(self.course.model if model else None)


def run_epochs(run: Run, start: Position | None) -> bool:
    """Train and validate epoch after epoch, recording each, until the end or the recipe's early stopping.

    Returns whether it was interrupted.

    Args:
        start: of a run that goes on, whose variables are those of that position; None for a new one.

    Raises:
        ArchspecError: `diverged`, `out-of-memory`, `data-changed`, `cannot-write`.
    """
    course = run.course
    at = start or Position()
    try:
        if start is None:
            run.save(at)
        else:  # what a kill just after a checkpoint has left undone
            run.write(model=not at.done)
        batches = run.batches(at.step(course.length.steps_per_epoch))
        while at.epoch < course.length.epochs and not at.stopped:
            at, interrupted = _epoch(run, at, batches)
            if interrupted:
                return True
    except DivergedError as diverged:
        raise _diverged(run, diverged) from None
    return False


def _epoch(run: Run, at: Position, batches: Any) -> tuple[Position, bool]:
    """One epoch, or the rest of one: the position after it, and whether it was interrupted before its end."""
    course, watch, each = run.course, run.watch, run.course.length.steps_per_epoch
    steps = min(each, course.length.steps - at.epoch * each)
    started = time.perf_counter() - at.seconds
    watch.begin(at)

    looked = at.step(each)

    def unchanged() -> None:
        """What the steps since the last look have read was what it is to be, before anything of it is kept."""
        nonlocal looked
        notes, looked = course.changed(looked, at.step(each)), at.step(each)
        if notes:
            raise fail("data-changed", "image files have changed since training began", notes=notes, help=run.restore)

    def save() -> None:
        nonlocal at
        unchanged()
        at = replace(at, score=watch.look(), seconds=time.perf_counter() - started)
        run.save(at)

    with tensorflow_failures(course.recipe.batch_size, lambda: course.broken(at.step(each)), restore=run.restore):
        while at.done < steps:
            score, rate = run.take(batches, at.step(each))
            watch.step(score)
            at = replace(at, done=at.done + 1, rate=rate)
            if run.asked_to_end(at.step(each)):
                save()
                return at, True
            if run.checkpoint_due(at.step(each)) and at.done < steps:
                save()
        total = watch.look()
        trained = time.perf_counter()
        run.progress.validating()
        with course.train_step.averaged():
            val_score, _ = count(run.count_step, run.validation, course.validation_steps, run.asked_to_end)
    if run.asked_to_end():
        save()
        return at, True
    if not math.isfinite(val_score.loss):
        fact = f"the validation loss is {val_score.loss} after epoch {at.epoch + 1}"
        raise DivergedError(at.step(each), fact)
    finished = time.perf_counter()
    watch.validation_seconds = finished - trained
    unchanged()
    row = {
        "epoch": at.epoch + 1,
        "learning_rate": at.rate,
        "loss": total.loss,
        "top1": total.top1,
        "val_loss": val_score.loss,
        "val_top1": val_score.top1,
        **({"val_top5": val_score.top5} if course.logits_model.outputs[0].shape[-1] > 5 else {}),
    }
    times = {
        "epoch": at.epoch + 1,
        "seconds": round(finished - started, 3),
        "images_per_second": round(total.examples / (trained - started), 1),
        "data_wait": _share(watch.waited_in_epoch, trained - started),
    }
    best = run.record.add(row, times)
    dropped = run.rates.after(row)
    at = Position(epoch=at.epoch + 1, stopped=run.stopper.after(row))
    run.save(at)  # before the files that follow from it
    run.write()
    run.progress.epoch({**row, **times}, best=best)
    if dropped:
        run.progress.note(dropped)
    if at.stopped:
        run.progress.note(f"stopped early after epoch {at.epoch}, as `early_stopping` asks")
    return at, False


def _share(part: float, whole: float) -> float | None:
    """None for what was not measured."""
    return None if math.isnan(part) else round(min(part / whole, 1.0), 3)


def count(
    count_step: Callable[[Any], Any], batches: Any, steps: int, stop: Callable[[int], bool] = lambda step: False
) -> tuple[MetricSums, npt.NDArray[np.int64]]:
    """One pass over distributed batches: the MetricSums, and the confusion matrix if `count_step` makes one.

    stop: asked before each step, counted from 0, whether to end there.
    """
    score, table = MetricSums(), np.zeros((), np.int64)
    iterator = iter(batches)
    for step in range(steps):
        if stop(step):
            break
        vector, confusion = count_step(iterator)
        score += MetricSums.of(vector)
        table = table + np.rint(confusion.numpy()).astype(np.int64)
    return score, table


def _diverged(run: Run, diverged: DivergedError) -> ArchspecError:
    """The error, with the layer that blew up: the steps since the last checkpoint are taken again to find it."""
    course, notes = run.course, list[str]()
    run.progress.note(f"{diverged.fact}; looking for the layer, from the last checkpoint on")
    first = _gone_back(run)
    if first is not None:
        batches = run.batches(first)
        for step in range(first, diverged.step):
            if run.asked_to_end(step):
                break
            run.take(batches, step)
        else:
            x, *_ = next(iter(course.training(diverged.step)), (None,))
            notes = blown_up(course.strategy, course.model, x)
        notes.append(f"the checkpoint of step {first} is kept, and best.keras and last.keras are not newer than it")
    elif run.collectives.cluster:
        notes = ["which layer it was is found where all workers can read the checkpoints, in one shared folder"]
    run.collectives.barrier()
    return _smaller_rate(course.recipe, diverged.fact, notes)


def _gone_back(run: Run) -> int | None:
    """The step of the last checkpoint, with its variables; None, on all processes, unless each has gone back to it."""
    first: int | None = None
    with contextlib.suppress(ArchspecError):  # without a checkpoint, nothing more is known
        first = run.load(latest(run.record.directory, run.progress.note)).step(run.course.length.steps_per_epoch)
    if run.collectives.any(first is None):
        return None
    with contextlib.suppress(ArchspecError):
        run.collectives.check_equal("checkpoint", first)
        return first
    return None


def _smaller_rate(recipe: Recipe, fact: str, notes: Sequence[str]) -> ArchspecError:
    optimizer = recipe.optimizer
    setting = f"train.optimizer.{optimizer.name}.learning_rate={optimizer.learning_rate / 10:g}"
    help = f"a smaller learning rate: `--set {setting}`"
    if recipe.dtype_policy == "mixed_float16":
        notes = [*notes, "outputs of layers are float16, which ends at 65,504; no scale of the loss helps against that"]
        help = f"`--set train.dtype_policy=mixed_bfloat16`, which has the range of float32, or {help}"
    return fail("diverged", fact, notes=notes, help=help)
