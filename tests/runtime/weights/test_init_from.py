"""`archspec train --init-from`: training goes on from the weights of a file."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import archspec
from archspec.cli.main import cli
from archspec.diagnostics import ArchspecError
from archspec.runtime.models.model_file import load_model

SPEC = """
name: small
input: [8, 8, 1]
params: {classes: 10}
preprocess: [scale: $(1 / 16)]
layers: [conv: {filters: 8, kernel_size: 3, use_bias: false}, bn, relu, flatten, dense: $classes, softmax]
train: {batch_size: 64, optimizer: {sgd: {learning_rate: 0.05, momentum: 0.9}}}
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "small.yaml"
    path.write_text(SPEC)
    return path


def train(spec: Path, out: Path, *more: str) -> str:
    run = CliRunner().invoke(
        cli, ["train", str(spec), "--data", "digits", "-o", str(out), *more], catch_exceptions=False
    )
    assert run.exit_code == 0, run.output
    return run.output


def top1(run: Path) -> float:
    lines = (run / "history.csv").read_text().splitlines()
    return float(dict(zip(lines[0].split(","), lines[-1].split(","), strict=True))["val_top1"])


def test_a_run_starts_where_another_ended(spec: Path, tmp_path: Path) -> None:
    train(spec, tmp_path / "first", "--epochs", "4")
    model = tmp_path / "first" / "last.keras"
    still = ("--epochs", "1", "--set", "train.optimizer={sgd: {learning_rate: 1e-9}}")
    output = train(spec, tmp_path / "second", "--init-from", str(model), *still)
    assert "matched by name: 1 conv, 1 bn, 1 dense" in output
    before, after = (load_model(tmp_path / run / "last.keras")[0] for run in ("first", "second"))
    np.testing.assert_allclose(
        after.get_layer("dense").get_weights()[0], before.get_layer("dense").get_weights()[0], atol=1e-6
    )
    train(spec, tmp_path / "third", *still)
    assert top1(tmp_path / "second") > top1(tmp_path / "third") + 0.3
    (settings,) = [path for path in (tmp_path / "second").glob("*.json") if "init_from" in path.read_text()]
    assert json.loads(settings.read_text())["init_from"] == str(model)


def test_another_number_of_classes_gets_a_new_classifier(spec: Path, tmp_path: Path) -> None:
    archspec.load(str(spec), classes=7).build().save(tmp_path / "seven.keras")
    output = train(spec, tmp_path / "run", "--init-from", str(tmp_path / "seven.keras"), "--epochs", "1")
    assert "new: `dense`" in output


def test_weights_that_do_not_fit_leave_no_run(spec: Path, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(SPEC.replace("filters: 8", "filters: 9"))
    archspec.load(str(tmp_path / "other.yaml")).build().save(tmp_path / "other.keras")
    with pytest.raises(ArchspecError, match="weights-mismatch"):
        train(spec, tmp_path / "run", "--init-from", str(tmp_path / "other.keras"))
    assert not (tmp_path / "run").exists()
