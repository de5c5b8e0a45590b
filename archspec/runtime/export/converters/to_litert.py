"""Convert the signature `serving_default` of a SavedModel to LiteRT (.tflite), with builtin operators only."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Convert `saved_model` to `out`. The result is {"error": text} where an operator has no builtin form."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(request["saved_model"], signature_keys=["serving_default"])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]  # Flex needs a delegate that LiteRT lacks
    if request["precision"] == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    try:
        content = converter.convert()
    except Exception as error:  # whatever the converter raises
        return {"error": str(error)}
    Path(request["out"]).write_bytes(content)
    return {"error": None}


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps(main(json.load(file))), flush=True)
