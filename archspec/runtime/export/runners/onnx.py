"""Load an ONNX file with onnxruntime on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def load(folder: str, threads: int = 0) -> dict[str, Callable[[Any], dict[str, Any]]]:
    """`serving_default`: a function from an array (B, ...) to the named outputs.

    One of several inputs takes an array (B,) with a field for each.

    Args:
        folder: the version folder, which contains `model.onnx`.
        threads: of onnxruntime; 0 for its default, one for each core.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    path = str(Path(folder) / "model.onnx")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    first = session.get_inputs()[0].name

    def call(inputs: Any) -> dict[str, Any]:
        given = {name: inputs[name] for name in inputs.dtype.names} if inputs.dtype.names else {first: inputs}
        return dict(zip(names, session.run(names, given), strict=True))

    return {"serving_default": call}
