"""`--mlflow`: against a small server in memory that keeps MLflow's laws, and against MLflow where it is installed."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import shutil
import signal
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.training.records.mlflow_log import flat
from archspec.runtime.training.train import resume, train
from tests.runtime.small_specs import SPEC
from tests.runtime.training.test_train_run import Watcher, once

# Keras hands its variables to NumPy in a way that NumPy 2 is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

PARAMS = {"reference": None, "seed": "0", "train.optimizer.sgd.momentum": "0.9", "train.schedule.plateau.patience": "1"}


class Server:
    """Runs in memory by the laws of MLflow's REST interface: parameters never change, a metric's points add up."""

    def __init__(self) -> None:
        self.runs: dict[str, Any] = {}
        self.experiments: dict[str, str] = {}
        self.fails = False

    def client(self) -> Server:
        return self

    def _reached(self) -> None:
        if self.fails:
            raise ConnectionError("the server is away")

    def get_experiment_by_name(self, name: str) -> Any:
        self._reached()
        return SimpleNamespace(experiment_id=self.experiments[name]) if name in self.experiments else None

    def create_experiment(self, name: str) -> str:
        self._reached()
        self.experiments[name] = str(len(self.experiments) + 1)
        return self.experiments[name]

    def create_run(self, experiment_id: str, run_name: str) -> Any:
        self._reached()
        info = SimpleNamespace(run_id=f"run{len(self.runs)}", status="RUNNING", run_name=run_name)
        info.experiment_id = experiment_id
        self.runs[info.run_id] = SimpleNamespace(
            info=info, data=SimpleNamespace(params={}, metrics={}), points=defaultdict(list), files={}
        )
        return self.runs[info.run_id]

    def get_run(self, run_id: str) -> Any:
        self._reached()
        return self.runs[run_id]

    def update_run(self, run_id: str, status: str) -> None:
        self._reached()
        self.runs[run_id].info.status = status

    set_terminated = update_run

    def get_metric_history(self, run_id: str, key: str) -> list[Any]:
        self._reached()
        return list(self.runs[run_id].points[key])

    def log_batch(self, run_id: str, metrics: Any = (), params: Any = ()) -> None:
        self._reached()
        assert len(params) <= 100
        assert len(metrics) <= 1000
        run = self.runs[run_id]
        for param in params:
            assert len(param.key) <= 250
            assert len(param.value.encode()) <= 6000
            assert run.data.params.setdefault(param.key, param.value) == param.value
        for metric in metrics:
            run.data.metrics[metric.key] = metric.value
            run.points[metric.key].append(metric)

    def log_artifact(self, run_id: str, local_path: str) -> None:
        self._reached()
        self.runs[run_id].files[Path(local_path).name] = Path(local_path).read_bytes()


def install(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    mlflow, entities = ModuleType("mlflow"), ModuleType("mlflow.entities")
    mlflow.MlflowClient = server.client  # type: ignore[attr-defined]
    entities.Param = lambda key, value: SimpleNamespace(key=key, value=value)  # type: ignore[attr-defined]
    entities.Metric = lambda key, value, timestamp, step: SimpleNamespace(  # type: ignore[attr-defined]
        key=key, value=value, timestamp=timestamp, step=step
    )
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(os, "environ", dict(os.environ))  # MLflow's own settings are set for a process
    (tmp_path / "small.yaml").write_text(SPEC)
    return str(tmp_path / "small.yaml")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    install(monkeypatch, server)
    return server


@pytest.mark.slow
@pytest.mark.parametrize("real", [False, True])
@pytest.mark.filterwarnings("default")
def test_an_interrupted_run_goes_on_in_the_same_mlflow_run(
    real: bool, spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if real:
        pytest.importorskip("mlflow")
        from mlflow import MlflowClient

        for name, value in {"TRACKING_URI": f"file:{tmp_path}/server", "ALLOW_FILE_STORE": "true"}.items():
            monkeypatch.setenv(f"MLFLOW_{name}", value)
        client: Any = None
    else:
        client = Server()
        install(monkeypatch, client)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "digits")
    out, before = tmp_path / "run", tmp_path / "before"
    train(archspec.load(spec), "digits", out=out, mlflow=True, progress=Watcher(at_step=once(signal.SIGTERM, epoch=2)))
    client = client or MlflowClient()
    run_id = json.loads((out / "run.json").read_text())["mlflow"]
    assert client.get_run(run_id).info.status == "KILLED"
    assert [point.step for point in client.get_metric_history(run_id, "loss")] == [1]
    shutil.copytree(out, before)
    seen = Watcher()
    resume(out, archspec.load, progress=seen)
    resume(before, archspec.load, progress=seen)  # as if it had been killed before a checkpoint: the same epochs again
    assert not [line for line in seen.lines if "MLflow" in line]
    run = client.get_run(run_id)
    experiment = client.get_experiment_by_name("digits")
    assert (run.info.status, run.info.run_name, run.info.experiment_id) == ("FINISHED", "run", experiment.experiment_id)
    assert {name: run.data.params[name] for name in PARAMS} == {**PARAMS, "reference": spec}
    rows = list(csv.DictReader((out / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert set(run.data.metrics) == set(rows[0]) - {"epoch"}
    for name in run.data.metrics:
        points = [(point.step, point.value) for point in client.get_metric_history(run_id, name)]
        assert sorted(points) == [(int(row["epoch"]), float(row[name])) for row in rows], name
    client.update_run(run_id, status="RUNNING")  # as if it had been killed after its last file
    resume(out, archspec.load, progress=seen)
    assert client.get_run(run_id).info.status == "FINISHED"
    if real:
        files = {item.path for item in client.list_artifacts(run_id)}
    else:
        files = set(client.runs[run_id].files)
        assert client.runs[run_id].files["history.csv"] == (out / "history.csv").read_bytes()
        assert len(client.runs) == 1
    assert files == {"run.json", "history.csv", "curves.png"}


def test_a_server_that_is_away_costs_nothing_but_is_said_once(spec: str, tmp_path: Path, server: Server) -> None:
    server.fails = True

    def back(epoch: int) -> None:
        server.fails = epoch < 3

    seen = Watcher(at_step=back)
    train(archspec.load(spec), "digits", out=tmp_path / "run", mlflow=True, progress=seen)
    assert [line for line in seen.lines if "MLflow" in line] == [
        "cannot log to MLflow, training continues without it: the server is away"
    ]
    (run_id,) = server.runs
    assert json.loads((tmp_path / "run" / "run.json").read_text())["mlflow"] == run_id
    assert [point.step for point in server.get_metric_history(run_id, "val_top1")] == [1, 2, 3]
    assert server.get_run(run_id).info.status == "FINISHED"


def test_without_the_package_nothing_begins(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ArchspecError) as caught:
        train(archspec.load(spec), "digits", out=tmp_path / "run", mlflow=True, progress=Watcher())
    (wrong,) = caught.value.diagnostics
    assert (wrong.code, "archspec-keras[mlflow]" in (wrong.help or "")) == ("missing-package", True)
    assert not (tmp_path / "run").exists()


def test_parameters_are_flat_and_within_the_limits() -> None:
    """The limits are those of MLflow's REST interface: 250 characters, 6,000 bytes; other characters than word
    characters, `-. :/` are refused in names, so that patterns of layers stay values."""
    given = {"train": {"sgd": {"learning_rate": 0.1}, "empty": {}, "factors": {"conv*/**": 0.1}, "none": None}}
    assert dict(flat(given)) == {
        "train.sgd.learning_rate": "0.1",
        "train.empty": "{}",
        "train.factors": '{"conv*/**": 0.1}',
        "train.none": "null",
    }
    ((name, value),) = flat({"n" * 300: "é" * 4000})
    assert (len(name), value) == (250, "é" * 3000)


def test_the_real_package_has_these_limits() -> None:
    if importlib.util.find_spec("mlflow") is None:
        pytest.skip("mlflow is not installed")
    from mlflow.utils import validation

    assert (validation.MAX_ENTITY_KEY_LENGTH, validation.MAX_PARAM_VAL_LENGTH) == (250, 6000)
