"""Logs the recipe, metrics and files of a run to the MLflow server that MLflow's environment variables name."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail

KEY_LENGTH, VALUE_LENGTH = 250, 6000
"""Limits of a parameter: characters of its name, bytes of its value."""
PARAMS_A_REQUEST, METRICS_A_REQUEST = 100, 1000
FILES = ("run.json", "history.csv", "curves.png")
"""Of a run directory, which MLflow gets."""
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""Defaults for the environment: MLflow's own, 7 retries of 120 s, would delay training."""


def need_mlflow() -> None:
    """Raises ArchspecError: `missing-package`."""
    try:
        importlib.import_module("mlflow")
    except ImportError as error:
        raise fail(
            "missing-package",
            "`--mlflow` needs mlflow, which is not installed",
            help="`pip install 'archspec-keras[mlflow]'`, or train without `--mlflow`",
        ) from error


class MlflowLog:
    """One MLflow run. If the server fails, training continues; later calls send what is missing.

    Args:
        name: of a new run.
        params: parameters of the run; nested mappings become `outer.inner`.
        run_id: of an earlier run to continue; None for a new one.
        note: called with a line about the first failure.
    """

    def __init__(self, name: str, params: Mapping[str, Any], run_id: str | None, note: Callable[[str], None]) -> None:
        self.run_id = run_id
        self._name, self._params, self._note = name, dict(flat(params)), note
        self._client: Any = None
        self._there: set[tuple[str, int]] | None = None
        """Names and epochs of the metrics that the server has; None if it must be asked."""
        self._warned = False

    def send(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Send the metrics that the server does not have, named after the columns of history.csv."""
        with self._tolerant():
            there = self._open() if self._there is None else self._there
            from mlflow.entities import Metric  # which takes the environment that `_open` sets

            now = int(time.time() * 1000)
            new = [
                Metric(name, float(value), now, row["epoch"])
                for row in rows
                for name, value in row.items()
                if name != "epoch" and value not in (None, "") and (name, row["epoch"]) not in there
            ]
            for start in range(0, len(new), METRICS_A_REQUEST):
                self._client.log_batch(self.run_id, metrics=new[start : start + METRICS_A_REQUEST])
            self._there = there | {(metric.key, metric.step) for metric in new}

    def end(self, status: str, run: Path) -> None:
        """Send the FILES of the run directory that exist, and close the run as FINISHED, KILLED or FAILED."""
        with self._tolerant():
            if self._there is None:
                self._there = self._open()
            for file in (run / name for name in FILES):
                if file.is_file():
                    self._client.log_artifact(self.run_id, str(file))
            self._client.set_terminated(self.run_id, status=status)

    def end_if_running(self, run: Path) -> None:
        """Close a finished run whose process was killed before `end`."""
        with self._tolerant():
            self._connect()
            if self._client.get_run(self.run_id).info.status == "RUNNING":
                self.end("FINISHED", run)

    @contextlib.contextmanager
    def _tolerant(self) -> Iterator[None]:
        """Note the first failure of the server, and leave out what it could not take."""
        try:
            yield
        except Exception as error:  # whatever the client raises: training must continue
            self._there = None
            if not self._warned:
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                self._note(f"cannot log to MLflow, training continues without it: {reason}")
            self._warned = True

    def _open(self) -> set[tuple[str, int]]:
        """Create or continue the run, and complete its parameters. Returns the metrics that it has."""
        self._connect()
        if self.run_id is None:
            self.run_id = self._client.create_run(_experiment(self._client), run_name=self._name).info.run_id
        run = self._client.get_run(self.run_id)
        if run.info.status != "RUNNING":
            self._client.update_run(self.run_id, status="RUNNING")
        from mlflow.entities import Param

        missing = [Param(name, value) for name, value in self._params.items() if name not in run.data.params]
        for start in range(0, len(missing), PARAMS_A_REQUEST):
            self._client.log_batch(self.run_id, params=missing[start : start + PARAMS_A_REQUEST])
        return {
            (name, point.step)
            for name in run.data.metrics
            for point in self._client.get_metric_history(run.info.run_id, name)
        }

    def _connect(self) -> None:
        if self._client is None:
            for name, value in {**PATIENCE, "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}.items():
                os.environ.setdefault(name, value)
            from mlflow import MlflowClient

            self._client = MlflowClient()


def _experiment(client: Any) -> str:
    """The ID of the experiment that the environment names; it is created if necessary."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME")
    if not name:
        return os.environ.get("MLFLOW_EXPERIMENT_ID") or "0"
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


def flat(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Names as for `--set`, such as `train.optimizer.sgd.momentum`, and values as text, within MLflow's limits.

    A mapping with other keys than identifiers (classes, patterns of layers) stays one value, as JSON.
    """
    for key, value in params.items():
        name = prefix + key
        if isinstance(value, Mapping) and value and all(re.fullmatch(r"[A-Za-z_]\w*", str(inner)) for inner in value):
            yield from flat(value, f"{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
            yield name[:KEY_LENGTH], text.encode()[:VALUE_LENGTH].decode(errors="ignore")
