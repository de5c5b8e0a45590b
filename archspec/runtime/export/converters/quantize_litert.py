"""Quantize a LiteRT file to int8 with calibration images: static, weights per channel, activations per tensor."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

QUANTIZED = (
    "FULLY_CONNECTED",
    "DEPTHWISE_CONV_2D",
    "CONV_2D",
    "CONV_2D_TRANSPOSE",
    "AVERAGE_POOL_2D",
    "MAX_POOL_2D",
    "MEAN",
    "RESHAPE",
    "ADD",
    "CONCATENATION",
    "SPLIT",
    "PAD",
    "STRIDED_SLICE",
)
"""Operators that compute in int8. Softmax and the normalization of the input stay in float32."""


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Replace the file `path` by an int8 one whose inputs and outputs stay float32."""
    import numpy as np
    from ai_edge_quantizer import quantizer
    from ai_edge_quantizer.qtyping import TFLOperationName

    warnings.simplefilter("ignore")
    path = Path(request["path"])
    images = np.load(request["calibration"], mmap_mode="r")
    work = quantizer.Quantizer(str(path))
    for name in QUANTIZED:
        work.add_static_config(
            regex=".*", operation_name=TFLOperationName[name], activation_num_bits=8, weight_num_bits=8
        )

    class Samples:  # the quantizer goes through them more than once
        def __iter__(self) -> Iterator[dict[str, Any]]:
            return ({"images": np.array(images[row : row + 1])} for row in range(len(images)))

    result = work.quantize(work.calibrate({"serving_default": Samples()}), enable_progress_report=False)
    path.write_bytes(bytes(result.quantized_model))
    return {"bytes": path.stat().st_size}


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps(main(json.load(file))), flush=True)
