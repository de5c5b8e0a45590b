"""Load a LiteRT file with the interpreter of ai-edge-litert on the CPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def load(folder: str, threads: int = 0) -> dict[str, Callable[[Any], dict[str, Any]]]:
    """`serving_default`: a function from an array (B, ...) to the named outputs. It is not safe for several threads.

    One of several inputs takes an array (B,) with a field for each.

    Args:
        folder: the version folder, which contains `model.tflite`.
        threads: of the interpreter; 0 for one for each core.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(Path(folder) / "model.tflite"), num_threads=threads or os.cpu_count() or 1)
    runner = interpreter.get_signature_runner("serving_default")
    first = next(iter(runner.get_input_details()))

    def call(inputs: Any) -> dict[str, Any]:
        given = {name: inputs[name] for name in inputs.dtype.names} if inputs.dtype.names else {first: inputs}
        return {name: value.copy() for name, value in runner(**given).items()}

    return {"serving_default": call}
