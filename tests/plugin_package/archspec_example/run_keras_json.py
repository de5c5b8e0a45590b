"""Load what the export format writes and run it, without archspec."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def load(folder: str, threads: int = 0) -> dict[str, Callable[[Any], dict[str, Any]]]:
    """Each function of the export: from an array (B, ...) to its named outputs."""
    import keras

    place = Path(folder)
    model = keras.models.model_from_json((place / "model.json").read_text(encoding="utf-8"))
    model.load_weights(place / "model.weights.h5")
    description = json.loads((place / "export.json").read_text(encoding="utf-8"))
    names = list(description["signatures"]["serving_default"]["outputs"])

    def call(images: Any) -> dict[str, Any]:
        found = model.predict_on_batch(images)
        return dict(zip(names, found if isinstance(found, list) else [found], strict=True))

    return {"serving_default": call}
