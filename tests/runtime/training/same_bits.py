"""What of two runs must be equal to the last bit."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from archspec.runtime.training.records.checkpoint import files, read_checkpoint


def result(run: Path) -> dict[str, Any]:
    """All that must be equal to the last bit, without starting TensorFlow."""
    weights = {}
    for name in ("best.keras", "last.keras"):
        with zipfile.ZipFile(run / name) as archive:
            contents = io.BytesIO(archive.read("model.weights.h5"))
        found: dict[str, Any] = {}
        with h5py.File(contents) as file:
            file.visititems(lambda path, item, found=found: found.__setitem__(path, item))
            arrays = {path: item[()] for path, item in found.items() if isinstance(item, h5py.Dataset)}
        weights.update({f"{name}/{path}": array for path, array in arrays.items()})
    newest = read_checkpoint(files(run)[0])
    settings = json.loads((run / "run.json").read_text())
    return {
        "history": (run / "history.csv").read_bytes(),
        # by their order: Keras numbers the names of optimizers and seeds by what a process has made before
        "weights": {**weights, **{f"variable {i}": array for i, array in enumerate(newest.arrays.values())}},
        "best": settings["best"],
        "epochs": settings["epochs_finished"],
        "checkpoints": [path.name for path in files(run)],
        "files": sorted(path.name for path in run.iterdir()),
    }


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    found = [key for key in one if key != "weights" and one[key] != other[key]]
    if list(one["weights"]) != list(other["weights"]):
        found.append("variables")
    found += [name for name, array in one["weights"].items() if not np.array_equal(array, other["weights"].get(name))]
    return found
