"""Lower the precision of an ONNX file: float16, or int8 with calibration images (static, QDQ, per channel)."""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

QUANTIZED = (
    "Conv",
    "ConvTranspose",
    "Gemm",
    "MatMul",
    "Add",
    "Relu",
    "Clip",
    "Concat",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Resize",
    "Pad",
)
"""Operators that compute in int8. Softmax and the normalization of the input stay in float32."""
BATCH = 8


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Replace the file `path` by one of the precision `precision`; its metadata stay."""
    import onnx

    path = Path(request["path"])
    properties = {each.key: each.value for each in onnx.load(path, load_external_data=False).metadata_props}
    model = _float16(path) if request["precision"] == "float16" else _int8(path, request)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, properties)
    onnx.save(model, path)
    return {"nodes": len(model.graph.node)}


def _float16(path: Path) -> Any:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return convert_float_to_float16(onnx.load(path), keep_io_types=True)


def _int8(path: Path, request: dict[str, Any]) -> Any:
    import numpy as np
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    images = np.load(request["calibration"], mmap_mode="r")

    class Reader(CalibrationDataReader):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            self.starts = iter(range(0, len(images), BATCH))

        def get_next(self) -> dict[str, Any] | None:
            start = next(self.starts, None)
            return None if start is None else {"images": np.array(images[start : start + BATCH])}

    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        prepared, quantized = Path(folder) / "prepared.onnx", Path(folder) / "quantized.onnx"
        quant_pre_process(path, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantized,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED),
            per_channel=True,
            reduce_range=request["reduce_range"],
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(quantized)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps(main(json.load(file))), flush=True)
