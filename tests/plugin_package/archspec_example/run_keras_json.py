"""Load what the export format writes and run it, without archspec."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def load(folder: str, threads: int = 0) -> dict[str, Callable[[Any], dict[str, Any]]]:
    """Each function of the export: from an array (B, ...) to its named outputs.

    Of several inputs the array is (B,), with a field for each.
    """
    import keras

    place = Path(folder)
    model = keras.models.model_from_json((place / "model.json").read_text(encoding="utf-8"))
    model.load_weights(place / "model.weights.h5")
    description = json.loads((place / "export.json").read_text(encoding="utf-8"))
    signature = description["signatures"]["serving_default"]
    entering, names = list(signature["inputs"]), list(signature["outputs"])

    def call(inputs: Any) -> dict[str, Any]:
        found = model.predict_on_batch([inputs[name] for name in entering] if inputs.dtype.names else inputs)
        return dict(zip(names, found if isinstance(found, list) else [found], strict=True))

    return {"serving_default": call}
