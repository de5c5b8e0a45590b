"""What a run writes as it goes: one row an epoch, the curves, the best and the last network, and how it ended."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archspec.diagnostics import ArchspecError
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import save_model
from archspec.runtime.runs.run_directory import write_table
from archspec.runtime.system.atomic_write import copy, write_json, write_text
from archspec.runtime.training.records.curves import draw_curves
from archspec.runtime.training.records.mlflow_log import MlflowLog
from archspec.runtime.training.records.tensorboard import ScalarLog

Row = dict[str, Any]
"""A row of history.csv: epoch, learning_rate, loss, top1, val_loss, val_top1, val_top5 (beyond five classes).
Accuracies are shares (0 to 1), losses nats, the learning rate that of the epoch's last step.
A row of times.csv: epoch, seconds, images_per_second, data_wait (share of the training time that steps waited for
images); what a run that was killed and resumed does not repeat."""

DRAWN_EVERY = 60.0
"""Seconds after which an epoch's end draws the curves anew: drawing takes as long as a short epoch."""


class RunLogger:
    """The files of a run in progress.

    Args:
        directory: a folder made by `run_directory.created`.
        title: of the curves.
        spec: the resolved spec, YAML.
        settings: what run.json says from the start.
        metadata: what the model files carry.
        writes: False for all but one of several processes, which then only remember.
        mlflow: where the figures go too.
        loss: how the curves call it, as `draw_curves` takes it.

    Every method raises ArchspecError (`cannot-write`) when the disk is full; what was written before stays.
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
    ) -> None:
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
        """Send what is missing there; run.json names the MLflow run as soon as there is one."""
        if self._mlflow is None:
            return
        self._mlflow.send(self.rows)
        if self._settings["mlflow"] != self._mlflow.run_id:
            self._settings["mlflow"] = self._mlflow.run_id
            write_json(self.directory / "run.json", self._settings)

    def _end_mlflow(self, status: str) -> None:
        if self._mlflow is not None:
            self._mlflow.end(status, [self.directory / name for name in ("run.json", "history.csv", "curves.png")])

    def add(self, row: Row, times: Row) -> bool:
        """Remember an epoch; `write` brings it to the disk. Returns whether it is the best so far."""
        best = self.best is None or _goodness(row) > _goodness(self.best)
        if best:
            self.best = row
        self.rows.append(row)
        self.times.append(times)
        return best

    def write(self, model: Any) -> None:
        """Write the last epoch and the network after it. To do it twice changes nothing.

        Args:
            model: None where it has gone on since that epoch, and is not to be written.
        """
        if not self.writes:
            return
        if model is not None and self.rows:
            save_model(model, self.directory / "last.keras", self.metadata)
            if self.best == self.rows[-1]:
                copy(self.directory / "last.keras", self.directory / "best.keras")
        write_table(self.directory / "history.csv", self.rows)
        write_table(self.directory / "times.csv", self.times)
        for row in self.rows[self._scalars.rows :]:
            self._scalars.write("train", row["epoch"], {key: row[key] for key in ("loss", "top1", "learning_rate")})
            validation = {key.removeprefix("val_"): row[key] for key in row if key.startswith("val_")}
            self._scalars.write("validation", row["epoch"], validation)
        self._scalars.rows = len(self.rows)
        if time.monotonic() - self._drawn >= DRAWN_EVERY:
            self._draw()
        self._to_mlflow()

    def _draw(self) -> None:
        draw_curves(self.directory / "curves.png", self.title, self.rows, **self.loss)
        self._drawn = time.monotonic()

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"rows": self.rows, "times": self.times, "best": self.best, "seconds": self._seconds()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Forget all but what a checkpoint has kept. The next `write` writes TensorBoard's files anew."""
        self.rows, self.times = list(state["rows"]), list(state["times"])
        self.best = state["best"]
        self._seconds_before, self._started = state["seconds"], time.monotonic()
        if self.writes:
            self._scalars.restart()

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    def finish(self, *, interrupted: bool, model: Any = None) -> float:
        """Draw the curves and say in run.json how it ended. Returns the seconds since the start.

        Args:
            model: the network as it stands, where that is not yet in last.keras.
        """
        if not self.writes:
            return self._seconds()
        if model is not None:
            save_model(model, self.directory / "last.keras", self.metadata)
        self._scalars.close()
        self._draw()
        seconds = self._seconds()
        columns = ("epoch", "val_top1", "val_loss")
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
        """Say in run.json what ended the run, as far as the disk allows, and if it has begun."""
        if not self.writes or not (self.directory / "spec.yaml").exists():
            return
        with contextlib.suppress(ArchspecError):
            self._draw()
            messages = [diagnostic.to_json() for diagnostic in error.diagnostics]
            write_json(self.directory / "run.json", {**self._settings, "finished": timestamp(), "errors": messages})
        self._end_mlflow("FAILED")


def _goodness(row: Row) -> tuple[float, float]:
    """Higher is better: validation top-1, then a lower validation loss."""
    return row["val_top1"], -row["val_loss"]


def versions() -> dict[str, str]:
    """Of what decides the numbers: archspec, keras, tensorflow, numpy, python."""
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
    """Numbers of threads, 0 where TensorFlow chooses; they change the last bits of the results."""
    import tensorflow as tf

    return {
        "processors": os.cpu_count(),
        "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
    }


def timestamp() -> str:
    """Local time with its offset, ISO 8601, seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
