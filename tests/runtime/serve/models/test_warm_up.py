"""Warm-up requests in a SavedModel: what TensorFlow Serving would run is what the signatures take."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

import archspec
from archspec.diagnostics import ArchspecError
from tests.runtime.serve.conftest import Exports


@pytest.mark.slow
def test_warm_up_requests_run(exports: Exports, tmp_path: Path) -> None:
    """Read with the protobuf types of TensorFlow Serving; each signature in two sizes of a batch."""
    pytest.importorskip("tensorflow_serving", reason="tensorflow-serving-api is not installed")
    from tensorflow_serving.apis import prediction_log_pb2

    version = archspec.export(exports.model, tmp_path / "out", warm_up=True, verify=False).path
    signatures = tf.saved_model.load(str(version)).signatures
    found = []
    for record in tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests")):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        outputs = signatures[request.model_spec.signature_name](images=tf.make_ndarray(request.inputs["images"]))
        found.append((request.model_spec.signature_name, len(outputs["probabilities"])))
    assert found == [("serving_default", 1), ("serving_default", 8), ("serve_images", 1), ("serve_images", 8)]


def test_other_formats_have_none(exports: Exports, tmp_path: Path) -> None:
    with pytest.raises(ArchspecError, match="warm-up"):
        archspec.export(exports.model, tmp_path / "out", format="keras", warm_up=True)
    assert list(tmp_path.iterdir()) == []
