"""Writes the files of a run: metrics, curves, scalars for TensorBoard, the best and the last network, and run.json."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archspec.diagnostics import ArchspecError, fail
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import save_model
from archspec.runtime.runs.run_directory import write_table
from archspec.runtime.system.atomic_write import copy, discard, write_json, write_text
from archspec.runtime.training.records.curves import draw_curves
from archspec.runtime.training.records.mlflow_log import MlflowLog


class ScalarLog:
    """Scalars of several runs in one folder, which TensorBoard overlays by their tags.

    Raises:
        ArchspecError: `cannot-write`, from `write`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = 0
        """Number of epochs that were written."""
        self._writers: dict[str, Any] = {}

    def write(self, run: str, step: int, scalars: Mapping[str, float]) -> None:
        """Write the scalars of one step; they are on the disk when this returns."""
        import tensorflow as tf

        kind = tf.compat.v1.SummaryMetadata
        # as `tf.summary.scalar`, which would import tensorboard
        metadata = kind(plugin_data=kind.PluginData(plugin_name="scalars"), data_class="DATA_CLASS_SCALAR")
        try:
            if run not in self._writers:
                self._writers[run] = tf.summary.create_file_writer(str(self.folder / run))
            writer = self._writers[run]
            with writer.as_default(step=step):
                for tag, value in scalars.items():
                    tf.summary.write(tag, tf.constant(value, tf.float32), metadata=metadata)
            writer.flush()
        except tf.errors.OpError as error:
            # "{{node of TensorFlow}} file; No space left on device"
            reason = str(error.message).splitlines()[0].rpartition("; ")[2].lower()
            raise fail(
                "cannot-write", f"cannot write `{self.folder}`: {reason}", help="free space on that disk"
            ) from error

    def restart(self) -> None:
        """Remove what was written, because a run resumes at an earlier epoch."""
        self.close()
        discard(self.folder)
        self.rows = 0

    def close(self) -> None:
        """Close the files; `write` opens new ones."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}


Row = dict[str, Any]
"""A row of history.csv: epoch, learning_rate, loss, top1, val_loss, val_top1, val_top5 (beyond five classes); other
targets have their own metrics (`Target.metrics`).
Accuracies are shares (0 to 1), losses nats; the learning rate is that of the last step of the epoch.
A row of times.csv: epoch, seconds, images_per_second, data_wait (share of the training time that steps waited for
images). A resumed run does not reproduce these."""

SAVED_EVERY = 10.0
"""Least seconds between two networks in last.keras, unless the later one is the best or the last: saving one takes as
long as a short epoch."""
DRAWN_EVERY = 60.0
"""Least seconds between two drawings of the curves: drawing takes as long as a short epoch."""


class RunLogger:
    """Writes the files of a run.

    Args:
        directory: a folder made by `run_directory.created`.
        title: title of the curves.
        spec: the resolved spec, YAML.
        settings: contents of run.json at the start.
        metadata: metadata of the model files.
        writes: False on all workers but the chief: they keep the metrics in memory only.
        mlflow: also logs the metrics.
        loss: labels of the curves, keyword arguments of `draw_curves`.
        scores: the columns whose mean is largest in the best epoch.

    Every method raises ArchspecError (`cannot-write`) when the disk is full; files that were written before are kept.
    """

    def __init__(
        self,
        directory: Path,
        title: str,
        spec: str,
        settings: Mapping[str, Any],
        metadata: Metadata,
        *,
        writes: bool = True,
        mlflow: MlflowLog | None = None,
        loss: Mapping[str, str] | None = None,
        scores: Sequence[str] = ("val_top1",),
    ) -> None:
        self.scores = tuple(scores)
        self.directory = directory
        self.title = title
        self.writes = writes
        self.loss = loss or {}
        self.metadata = metadata
        self.rows: list[Row] = []
        self.times: list[Row] = []
        self.best: Row | None = None
        self._spec = spec
        self.spec_digest = hashlib.sha256(spec.encode()).hexdigest()
        self._scalars = ScalarLog(directory / "tensorboard")
        self._mlflow = mlflow
        self._started = time.monotonic()
        self._seconds_before = 0.0
        self._drawn = self._started
        self._saved = -math.inf  # when last.keras was written, and the epochs of its network
        self._saved_epochs = 0
        opening = {"started": timestamp(), "finished": None, "interrupted": False, "best": None}
        self._settings = {**opening, **settings, "finished": None}

    def begin(self) -> None:
        """Write spec.yaml and run.json."""
        if not self.writes:
            return
        write_text(self.directory / "spec.yaml", self._spec)
        write_json(self.directory / "run.json", self._settings)
        self._to_mlflow()

    def _to_mlflow(self) -> None:
        """Send what the server does not have; run.json gets the ID of the MLflow run."""
        if self._mlflow is None:
            return
        self._mlflow.send(self.rows)
        if self._settings["mlflow"] != self._mlflow.run_id:
            self._settings["mlflow"] = self._mlflow.run_id
            write_json(self.directory / "run.json", self._settings)

    def _end_mlflow(self, status: str) -> None:
        if self._mlflow is not None:
            self._mlflow.end(status, self.directory)

    def add(self, row: Row, times: Row) -> bool:
        """Add an epoch, which `write` will write. Returns whether it is the best so far."""
        best = self.best is None or self._goodness(row) > self._goodness(self.best)
        if best:
            self.best = row
        self.rows.append(row)
        self.times.append(times)
        return best

    def _goodness(self, row: Row) -> tuple[float, float]:
        """Higher is better: the mean of the main validation metrics, then a lower validation loss."""
        values = [row[column] for column in self.scores]
        mean = sum(values) / len(values)
        return (mean if math.isfinite(mean) else -math.inf), -row["val_loss"]

    def write(self, model: Any, *, at_once: bool = False) -> None:
        """Write the last epoch, and the network after it: one that is the best at once, others every `SAVED_EVERY`.

        Args:
            model: None if it has been trained further since that epoch.
            at_once: write every network.
        """
        if not self.writes:
            return
        if model is not None and self.rows:
            best = self.best == self.rows[-1]
            if best or at_once or time.monotonic() - self._saved >= SAVED_EVERY:
                self._save(model)
            if best:
                copy(self.directory / "last.keras", self.directory / "best.keras")
        write_table(self.directory / "history.csv", self.rows)
        write_table(self.directory / "times.csv", self.times)
        for row in self.rows[self._scalars.rows :]:
            trained = {key: row[key] for key in row if key != "epoch" and not key.startswith("val_")}
            self._scalars.write("train", row["epoch"], trained)
            validation = {key.removeprefix("val_"): row[key] for key in row if key.startswith("val_")}
            self._scalars.write("validation", row["epoch"], validation)
        self._scalars.rows = len(self.rows)
        if time.monotonic() - self._drawn >= DRAWN_EVERY:
            self._draw()
        self._to_mlflow()

    def _save(self, model: Any) -> None:
        save_model(model, self.directory / "last.keras", self.metadata)
        self._saved, self._saved_epochs = time.monotonic(), len(self.rows)

    def _draw(self) -> None:
        best = None if self.best is None else self.best["epoch"]
        draw_curves(self.directory / "curves.png", self.title, self.rows, best=best, scores=self.scores, **self.loss)
        self._drawn = time.monotonic()

    def state(self) -> dict[str, Any]:
        """The state for `restore`, as JSON."""
        return {"rows": self.rows, "times": self.times, "best": self.best, "seconds": self._seconds()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the result of `state`. The next `write` writes the TensorBoard files from the start."""
        self.rows, self.times = list(state["rows"]), list(state["times"])
        self.best = state["best"]
        self._seconds_before, self._started = state["seconds"], time.monotonic()
        if self.writes:
            self._scalars.restart()

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    def finish(self, model: Any, *, interrupted: bool) -> float:
        """Write last.keras, draw the curves and complete run.json. Returns the seconds since the start."""
        if not self.writes:
            return self._seconds()
        if interrupted or self._saved_epochs < len(self.rows):
            self._save(model)
        self._scalars.close()
        self._draw()
        seconds = self._seconds()
        columns = ("epoch", *self.scores, "val_loss")
        ending = {
            "finished": timestamp(),
            "interrupted": interrupted,
            "epochs_finished": len(self.rows),
            "best": None if self.best is None else {column: self.best[column] for column in columns},
            "seconds": round(seconds, 1),
        }
        write_json(self.directory / "run.json", {**self._settings, **ending})
        self._end_mlflow("KILLED" if interrupted else "FINISHED")
        return seconds

    def failed(self, error: ArchspecError) -> None:
        """Write the error to run.json, if the run has begun and the disk has room."""
        if not self.writes or not (self.directory / "spec.yaml").exists():
            return
        with contextlib.suppress(ArchspecError):
            self._draw()
            messages = [diagnostic.to_json() for diagnostic in error.diagnostics]
            write_json(self.directory / "run.json", {**self._settings, "finished": timestamp(), "errors": messages})
        self._end_mlflow("FAILED")


def versions() -> dict[str, str]:
    """Versions of everything that determines the results: archspec, keras, tensorflow, numpy, python."""
    import keras
    import numpy as np
    import tensorflow as tf

    from archspec.version import __version__

    return {
        "archspec": __version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def threads() -> dict[str, int | None]:
    """Numbers of threads (0: TensorFlow chooses); they change the last bits of the results."""
    import tensorflow as tf

    return {
        "processors": os.cpu_count(),
        "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
    }


def timestamp() -> str:
    """Local time with UTC offset, ISO 8601, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
