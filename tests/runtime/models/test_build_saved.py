"""Saved models are read back with the same predictions: by archspec, and by Keras in a process without archspec."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archspec
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import save_model

SAYABLE = Path(__file__).parents[2] / "specs" / "sayable"
NETWORKS: dict[str, dict[str, Any]] = {
    "lenet:5": {},
    "alexnet": {"classes": 7, "input": [67, 67, 3]},
    "resnet-cifar:20": {"shortcut": "pad"},
    "resnet:18": {"input": [None, None, 3], "classes": 5},
    f"{SAYABLE / 'bit.yaml'}:R50x1": {"depths": [1, 1, 1, 1], "width": 0.5, "input": [32, 32, 3], "classes": 5},
}
READERS = {
    "keras": "import sys, keras; load = keras.saving.load_model",
    "archspec": "import sys; from archspec.runtime.models.model_file import load_model as f; load = lambda p: f(p)[0]",
}
PREDICT = """
import numpy as np
for path in sys.argv[1:]:
    images = np.load(f"{path}.npy")
    np.save(f"{path}.read.npy", load(path).predict(images, verbose=0))
assert ("archspec" in sys.modules) == ARCHSPEC
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, np.ndarray]:
    """Model files, each beside its images, with the predictions of the models that were saved."""
    folder, predictions = tmp_path_factory.mktemp("models"), {}
    for number, (reference, settings) in enumerate(NETWORKS.items()):
        network = archspec.load(reference, **settings)
        model, path = network.build(), folder / f"{number}.keras"
        shape = [size or 45 for size in network.graph().input_shape]
        images = np.random.default_rng(number).normal(size=(3, *shape)).astype("float32")
        save_model(model, path, Metadata(reference=reference))
        np.save(f"{path}.npy", images)
        predictions[path] = model.predict(images, verbose=0)
    return predictions


@pytest.mark.slow  # `test_model_file` has a small case
@pytest.mark.parametrize(
    "reader",
    ["archspec", "keras"],
)
def test_another_process_predicts_the_same_from_the_file(saved: dict[Path, np.ndarray], reader: str) -> None:
    program = READERS[reader] + PREDICT.replace("ARCHSPEC", str(reader == "archspec"))
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, saved)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for path, expected in saved.items():
        assert np.ptp(expected) > 1e-4  # predictions that tell networks apart
        np.testing.assert_allclose(np.load(f"{path}.read.npy"), expected, atol=1e-6)
