"""Convert the signature `serving_default` of a SavedModel to ONNX, with our names and a free batch."""

from __future__ import annotations

import json
import sys
from typing import Any

BATCH = "batch"
"""The name of the free batch axis."""


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Convert `saved_model` to `out`, at `opset`, with the `metadata` in it."""
    import onnx
    import tensorflow as tf
    from keras.src.export.tf2onnx_lib import patch_tf2onnx  # for NumPy 2 (tensorflow-onnx #2472, not released)

    patch_tf2onnx()
    from tf2onnx import tf_loader
    from tf2onnx.convert import _convert_common

    graph_def, inputs, outputs, names = tf_loader.from_saved_model(
        request["saved_model"],
        None,
        None,
        tag=["serve"],
        signatures=["serving_default"],
        return_tensors_to_rename=True,
    )
    tf.compat.v1.reset_default_graph()
    model, _ = _convert_common(
        graph_def,
        name=request["name"],
        opset=request["opset"],
        input_names=inputs,
        output_names=outputs,
        tensors_to_rename=names,
    )
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = BATCH
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if axis and not dim.dim_value:  # a free side: tf2onnx calls it unk__42
                dim.dim_param = f"{value.name}_{axis}"
    onnx.helper.set_model_props(model, request["metadata"])
    onnx.checker.check_model(model, full_check=True)
    foreign = sorted({node.op_type for node in model.graph.node if node.domain not in ("", "ai.onnx")})
    onnx.save(model, request["out"])
    return {
        "inputs": [each.name for each in model.graph.input],
        "outputs": [each.name for each in model.graph.output],
        "foreign": foreign,
        "nodes": len(model.graph.node),
    }


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps(main(json.load(file))), flush=True)
