"""The training loop: epochs of training and validation, with checkpoints, signals and early stopping."""

from __future__ import annotations

import contextlib
import math
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from archspec.diagnostics import ArchspecError, fail, listed
from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.distributed.collectives import Collectives
from archspec.runtime.models.metrics import MetricSums
from archspec.runtime.system.signals import StopRequest
from archspec.runtime.system.tensorflow_errors import tensorflow_failures
from archspec.runtime.training.divergence import DivergedError, LossMonitor, find_non_finite
from archspec.runtime.training.optimization.losses import total_loss
from archspec.runtime.training.optimization.lr_schedule import EarlyStopper, LearningRateSchedule
from archspec.runtime.training.records.checkpoint import (
    Checkpoint,
    Checkpoints,
    ProgressState,
    capture,
    latest,
    non_finite,
    restore,
)
from archspec.runtime.training.records.progress import TrainingProgress
from archspec.runtime.training.records.run_logger import RunLogger
from archspec.runtime.training.replica_batches import make_count_step, replica_batches
from archspec.runtime.training.setup import TrainingSetup
from archspec.targets import OutputTargets

SYNC_STEPS = 8  # with several workers, steps between two exchanges of losses and signals


class Trainer:
    """Trains the steps of a run, and saves and restores its state."""

    def __init__(
        self,
        setup: TrainingSetup,
        logger: RunLogger,
        progress: TrainingProgress,
        checkpoints: Checkpoints,
        stop: StopRequest,
        collectives: Collectives,
    ) -> None:
        self.setup, self.logger, self.progress, self.checkpoints = setup, logger, progress, checkpoints
        self.stop, self.collectives = stop, collectives
        self.schedule = LearningRateSchedule(setup.recipe, setup.length)
        self.early_stopper = EarlyStopper(setup.recipe)
        loss = total_loss(setup.recipe, setup.targets, setup.loss_weights)
        self.count_step = make_count_step(setup.strategy, setup.logits_model, loss=loss, targets=setup.targets)
        self.validation = replica_batches(setup.strategy, setup.validation, setup.share)
        self._signal_reported = False
        self.monitor = LossMonitor(
            setup.length,
            progress,
            lambda: float(setup.train_step.waited.numpy()),
            SYNC_STEPS if collectives.cluster else None,
        )

    @property
    def restore_help(self) -> str:
        """The remedy when image files have changed."""
        command = f"archspec train --resume {shlex.quote(str(self.logger.directory))}"
        return f"restore the file, and resume from the last checkpoint: `{command}`"

    def batches(self, step: int) -> Any:
        """An iterator over the training batches of all replicas, starting from a step of the run."""
        return iter(replica_batches(self.setup.strategy, self.setup.training(step), self.setup.share))

    def take(self, batches: Any, step: int) -> tuple[Any, float]:
        """Train one step of the run, counted from 0. Returns the vector of its MetricSums, and the learning rate."""
        learning_rate = self.schedule.at(step)
        update = self.setup.length.updates(step, self.setup.recipe.accumulated)
        return self.setup.train_step(batches, learning_rate, update), learning_rate

    def stop_requested(self, step: int | None = None) -> bool:
        """Whether a worker got a signal to stop. Several workers exchange this only every SYNC_STEPS steps."""
        cluster = self.collectives.cluster
        if cluster is None:
            return self.stop.made
        if step is not None and step % SYNC_STEPS:
            return False
        workers = self.collectives.workers_where(self.stop.made)
        if workers and not self.stop.made and not self._signal_reported:
            self._signal_reported = True
            names = listed(cluster.name(worker) for worker in workers)
            self.progress.note(f"{names} got a signal to stop: finishing this step, then saving")
        return bool(workers)

    def checkpoint_due(self, step: int) -> bool:
        """Whether to save after that step; the same on all workers, by the clock of the one that writes."""
        if self.collectives.cluster is None or self.checkpoints.every.seconds is None:
            return self.checkpoints.due(step)
        return step % SYNC_STEPS == 0 and self.collectives.any(self.logger.writes and self.checkpoints.due(step))

    def save(self, state: ProgressState) -> None:
        """Write a checkpoint.

        Raises:
            ArchspecError: `cannot-write`.
            DivergedError: a variable is not finite; then nothing is written.
        """
        arrays = capture(self.setup.train_step.variables())
        step = state.step(self.setup.length.steps_per_epoch)
        names = non_finite(arrays)
        if self.collectives.any(bool(names)):  # on all workers alike
            what = f"`{names[0]}`" if names else "a variable of another worker"
            raise DivergedError(step, f"{what} is not finite after step {step}")
        saved = {
            "progress": state.to_json(),
            "schedule": self.schedule.state(),
            "early_stopping": self.early_stopper.state(),
            "history": self.logger.state(),
            "spec": self.logger.spec_digest,
        }
        if self.logger.writes:
            self.checkpoints.save(step, Checkpoint(arrays, saved))

    def load(self, checkpoint: Checkpoint) -> ProgressState:
        """Restore variables, schedule and early stopping, but not the history. Raises `checkpoint-differs`."""
        if checkpoint.state["spec"] != self.logger.spec_digest:
            raise fail(
                "checkpoint-differs",
                "spec.yaml was changed after the checkpoint was written",
                help="restore spec.yaml, or start a new run",
            )
        restore(self.setup.train_step.variables(), checkpoint.arrays)
        self.schedule.restore(checkpoint.state["schedule"])
        self.early_stopper.restore(checkpoint.state["early_stopping"])
        return ProgressState.from_json(checkpoint.state["progress"])

    def write(self, *, model: bool = True) -> None:
        """Write the files of the finished epochs, and the network after the last of them."""
        with self.setup.train_step.averaged():
            self.logger.write(self.setup.model if model else None, at_once=self.progress.reads_network)


def run_epochs(trainer: Trainer, start: ProgressState | None) -> bool:
    """Train and validate epoch after epoch, until the last one or early stopping.

    Args:
        start: of a resumed run, after `Trainer.load`; None for a new run.

    Returns:
        Whether a signal interrupted the run.

    Raises:
        ArchspecError: `diverged`, `out-of-memory`, `data-changed`, `cannot-write`.
    """
    length = trainer.setup.length
    state = start or ProgressState()
    try:
        if start is None:
            trainer.save(state)
        else:  # a process killed just after a checkpoint has not written these files
            trainer.write(model=not state.done)
        batches = trainer.batches(state.step(length.steps_per_epoch))
        while state.epoch < length.epochs and not state.stopped:
            epoch = _Epoch(trainer, state)
            if epoch.run(batches):
                return True
            state = epoch.state
    except DivergedError as diverged:
        raise _diverged(trainer, diverged) from None
    return False


class _Epoch:
    """One epoch, or the rest of one that was interrupted after a checkpoint. `state` is its progress."""

    def __init__(self, trainer: Trainer, state: ProgressState) -> None:
        self.trainer, self.setup, self.state = trainer, trainer.setup, state
        self.started = time.perf_counter() - state.seconds
        self.checked = self.step
        trainer.monitor.begin(state)

    @property
    def step(self) -> int:
        """Steps since the start of the run."""
        return self.state.step(self.setup.length.steps_per_epoch)

    def run(self, batches: Any) -> bool:
        """Train, validate and write the files. Returns whether a signal interrupted it."""
        trainer, setup = self.trainer, self.setup
        with tensorflow_failures(
            setup.recipe.batch_size, lambda: setup.files.unreadable(self.step), restore=trainer.restore_help
        ):
            if self._train(batches):
                return True
            metrics = trainer.monitor.read()
            trained = time.perf_counter()
            trainer.progress.validating()
            with setup.train_step.averaged():
                steps = setup.validation_steps
                validation = count(trainer.count_step, trainer.validation, steps, trainer.stop_requested)
        if trainer.stop_requested():
            self._save()
            return True
        if not math.isfinite(validation.loss):
            raise DivergedError(
                self.step, f"the validation loss is {validation.loss} after epoch {self.state.epoch + 1}"
            )
        self._finish(metrics, validation, trained)
        return False

    def _train(self, batches: Any) -> bool:
        """Take the steps that are left. Returns whether a signal interrupted them; a checkpoint is then written."""
        trainer, length = self.trainer, self.setup.length
        steps = min(length.steps_per_epoch, length.steps - self.state.epoch * length.steps_per_epoch)
        while self.state.done < steps:
            vector, learning_rate = trainer.take(batches, self.step)
            trainer.monitor.step(vector)
            self.state = replace(self.state, done=self.state.done + 1, learning_rate=learning_rate)
            stop = trainer.stop_requested(self.step)
            if stop or (trainer.checkpoint_due(self.step) and self.state.done < steps):
                self._save()
            if stop:
                return True
        return False

    def _check_files(self) -> None:
        """Check the files that were read since the last check, before their effect is saved."""
        notes, self.checked = self.setup.files.changed(self.checked, self.step), self.step
        if notes:
            raise fail(
                "data-changed",
                "image files have changed since training began",
                notes=notes,
                help=self.trainer.restore_help,
            )

    def _save(self) -> None:
        self._check_files()
        seconds = time.perf_counter() - self.started
        self.state = replace(self.state, metrics=self.trainer.monitor.read(), seconds=seconds)
        self.trainer.save(self.state)

    def _finish(self, metrics: MetricSums, validation: MetricSums, trained: float) -> None:
        """Add the epoch to the history, save and write its files, and show it. `trained`: when training ended."""
        trainer, epoch, finished = self.trainer, self.state.epoch + 1, time.perf_counter()
        trainer.monitor.validation_seconds = finished - trained
        self._check_files()
        row = {
            "epoch": epoch,
            "learning_rate": self.state.learning_rate,
            "loss": metrics.loss,
            **figures(self.setup.targets, metrics, running=True),
            "val_loss": validation.loss,
            **{f"val_{name}": value for name, value in figures(self.setup.targets, validation).items()},
        }
        times = {
            "epoch": epoch,
            "seconds": round(finished - self.started, 3),
            "images_per_second": round(metrics.examples / (trained - self.started), 1),
            "data_wait": _share(trainer.monitor.waited_in_epoch, trained - self.started),
        }
        best = trainer.logger.add(row, times)
        dropped = trainer.schedule.after(row)
        self.state = ProgressState(epoch=epoch, stopped=trainer.early_stopper.after(row))
        trainer.save(self.state)  # before the files that derive from it
        trainer.write()
        trainer.progress.epoch({**row, **times}, best=best)
        if dropped:
            trainer.progress.note(dropped)
        if self.state.stopped:
            trainer.progress.note(f"stopped after epoch {epoch} by `early_stopping`")


def figures(targets: OutputTargets, sums: MetricSums, *, running: bool = False) -> dict[str, float]:
    """The metrics of an epoch beside its loss; `running`: those of training steps."""
    if targets.is_plain:
        top5 = {} if running or targets[0].units <= 5 else {"top5": sums.top5}
        return {"top1": sums.top1, **top5}
    return targets.figures(sums.counts, sums.examples, running=running)


def _share(part: float, whole: float) -> float | None:
    """A share from 0 to 1; None if it was not measured (NaN)."""
    return None if math.isnan(part) else round(min(part / whole, 1.0), 3)


def count(
    count_step: Callable[[Any], Any], batches: Any, steps: int, stop: Callable[[int], bool] = lambda step: False
) -> MetricSums:
    """The metrics of one pass over distributed batches.

    stop: called before each step, counted from 0; true ends the pass.
    """
    metrics, iterator = MetricSums(), iter(batches)
    for step in range(steps):
        if stop(step):
            break
        metrics += MetricSums.of(count_step(iterator))
    return metrics


def _diverged(trainer: Trainer, diverged: DivergedError) -> ArchspecError:
    """The error that names the layer: replays the steps since the last checkpoint to find it."""
    setup, notes = trainer.setup, list[str]()
    trainer.progress.note(f"{diverged.fact}; replaying the steps since the last checkpoint to find the layer")
    first = _load_latest(trainer)
    if first is not None:
        batches = trainer.batches(first)
        for step in range(first, diverged.step):
            if trainer.stop_requested(step):
                break
            trainer.take(batches, step)
        else:
            x, *_ = next(iter(setup.training(diverged.step)), (None,))
            notes = find_non_finite(setup.strategy, setup.model, x)
        notes.append(f"the checkpoint of step {first} is kept; best.keras and last.keras are not newer than it")
    elif trainer.collectives.cluster:
        notes = ["to find the layer, all workers must be able to read the checkpoints, in one shared folder"]
    trainer.collectives.barrier()
    return _lower_learning_rate(setup.recipe, diverged.fact, notes)


def _load_latest(trainer: Trainer) -> int | None:
    """Load the last checkpoint and return its step; None, on all workers, unless each of them could load it."""
    first: int | None = None
    with contextlib.suppress(ArchspecError):  # without a checkpoint the layer cannot be found
        checkpoint = latest(trainer.logger.directory, trainer.progress.note)
        first = trainer.load(checkpoint).step(trainer.setup.length.steps_per_epoch)
    if trainer.collectives.any(first is None):
        return None
    with contextlib.suppress(ArchspecError):
        trainer.collectives.check_equal("checkpoint", first)
        return first
    return None


def _lower_learning_rate(recipe: Recipe, fact: str, notes: Sequence[str]) -> ArchspecError:
    optimizer = recipe.optimizer
    setting = f"train.optimizer.{optimizer.name}.learning_rate={optimizer.learning_rate / 10:g}"
    help = f"try a lower learning rate: `--set {setting}`"
    if recipe.dtype_policy == "mixed_float16":
        notes = [*notes, "layer outputs are float16, whose largest value is 65,504; no loss scale can prevent that"]
        help = "try `--set train.dtype_policy=mixed_bfloat16`, which has the range of float32, or a lower learning "
        help += f"rate: `--set {setting}`"
    return fail("diverged", fact, notes=notes, help=help)
