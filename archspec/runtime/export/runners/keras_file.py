"""Load a `.keras` file with Keras alone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def load(folder: str, threads: int = 0) -> dict[str, Callable[[Any], dict[str, Any]]]:
    """`serving_default`: a function from an array (B, ...) to the named outputs of the network.

    One of several inputs takes an array (B,) with a field for each.

    Args:
        folder: the version folder, which contains `model.keras` and `export.json`.
        threads: of TensorFlow, if it has not started yet; 0 for its default.
    """
    import keras
    import numpy as np

    if threads and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # TensorFlow has started already
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
    model = keras.saving.load_model(Path(folder) / "model.keras", compile=False, safe_mode=True)
    description = json.loads((Path(folder) / "export.json").read_text(encoding="utf-8"))
    signature = description["signatures"]["serving_default"]
    entering, names = list(signature["inputs"]), list(signature["outputs"])

    def call(inputs: Any) -> dict[str, Any]:
        found = model.predict_on_batch([inputs[name] for name in entering] if inputs.dtype.names else inputs)
        outputs = found if isinstance(found, list) else [found]
        return {name: np.asarray(value, np.float32) for name, value in zip(names, outputs, strict=True)}

    return {"serving_default": call}
