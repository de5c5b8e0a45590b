"""Warm-up requests in a SavedModel: TensorFlow Serving calls it with them before it serves a version.

They are in `assets.extra/tf_serving_warmup_requests`, a TFRecord file of PredictionLog messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.diagnostics import fail
from archspec.runtime.export.check_images import check_images
from archspec.runtime.export.export_format import ENCODED, ExportFormat, Signature

if TYPE_CHECKING:
    from archspec.runtime.export.network import ExportedNetwork

FILE = Path("assets.extra", "tf_serving_warmup_requests")
BATCHES = (1, 8)
"""Sizes of the batches of each signature."""


def check_warm_up(writer: ExportFormat) -> None:
    """Raises ArchspecError: `warm-up` where the format has no such requests, `missing-package`."""
    if writer.name != "savedmodel":
        fact = (
            f"the format {writer.name} has no warm-up requests; TensorFlow Serving, which calls them, loads SavedModels"
        )
        raise fail("warm-up", fact, help="leave out `--warm-up`, or `--format savedmodel`")
    if find_spec("tensorflow_serving") is None:
        raise fail(
            "missing-package",
            "`--warm-up` needs tensorflow-serving-api, which is not installed",
            help="`pip install 'archspec-keras[tfserving]'`",
        )


def write_warm_up(network: ExportedNetwork, signatures: Mapping[str, Signature], folder: Path) -> None:
    """Write requests for each signature, with generated images, in each of BATCHES."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    images = check_images(network, None)
    (folder / FILE).parent.mkdir()
    with tf.io.TFRecordWriter(str(folder / FILE)) as file:
        for name, signature in signatures.items():
            values: Any = images.inputs if signature.content != ENCODED else np.array(images.encoded, object)
            for batch in BATCHES:
                request = predict_pb2.PredictRequest()
                request.model_spec.name, request.model_spec.signature_name = network.model.name, name
                for input in values.dtype.names or signature.to_json(network.input_shapes)["inputs"]:
                    chosen = values[input] if values.dtype.names else values
                    request.inputs[input].CopyFrom(tf.make_tensor_proto(chosen[:batch]))
                log = prediction_log_pb2.PredictionLog()
                log.predict_log.request.CopyFrom(request)
                file.write(log.SerializeToString())
