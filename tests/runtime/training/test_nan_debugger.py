"""A loss that is no number: the layer where it began is named."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.training.records.checkpoint import files
from archspec.runtime.training.train import train
from tests.runtime.small_specs import BLOWN
from tests.runtime.training.test_train_run import Watcher


def test_a_loss_that_is_no_number_names_the_layer(tmp_path: Path) -> None:
    """From the second epoch on the rate is 10^15: its first step makes weights of about 10^13 in each of three layers:
    two of them give 10^26, three 10^39, and float32 ends at 3 10^38."""
    path = tmp_path / "blown.yaml"
    path.write_text(BLOWN)
    with pytest.raises(ArchspecError) as caught:
        train(archspec.load(str(path)), "digits", out=tmp_path / "run", progress=Watcher())
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "diverged"
    assert diagnostic.message.startswith("the loss is ")
    assert diagnostic.message.endswith("at step 2 of 9 in epoch 2")
    assert diagnostic.notes[0] == "`three` is the first layer whose output is not finite"
    assert "e+2" in diagnostic.notes[1]
    assert diagnostic.notes[1].endswith("of `two`")
    assert diagnostic.notes[2].startswith("the checkpoint of step 9 is kept")
    assert files(tmp_path / "run")[0].name == "step-000000009.safetensors"


def test_an_output_beyond_float16_stops_the_run_with_the_layer(tmp_path: Path) -> None:
    """Pixels of up to 255 x 300 = 76,500 are finite in float32; the first layer reads them as float16."""
    path = tmp_path / "half.yaml"
    spec = BLOWN.replace("0.00392156862745098", "300").replace("epochs: 3,", "epochs: 3, dtype_policy: mixed_float16,")
    path.write_text(spec)
    with pytest.raises(ArchspecError) as caught:
        train(archspec.load(str(path)), "digits", out=tmp_path / "run", progress=Watcher())
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "diverged"
    assert diagnostic.message == "the loss is nan at step 1 of 9 in epoch 1"
    assert diagnostic.notes[0] == "`one` is the first layer whose output is not finite"
    assert "65,504" in diagnostic.notes[-1]
    assert "mixed_bfloat16" in diagnostic.help
    assert [file.name for file in files(tmp_path / "run")] == ["step-000000000.safetensors"]
