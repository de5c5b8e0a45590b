"""TensorFlow Serving's REST API as pure functions: paths, bodies and answers.

The expected documents are those of TensorFlow Serving's documentation (serving/api_rest.md).
"""

from __future__ import annotations

import base64
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.runtime.serve.http import rest_answer
from archspec.runtime.serve.http.predict_request import PredictRequest, parse_predict
from archspec.runtime.serve.http.rest_path import ModelPath, model_path
from archspec.runtime.serve.models.tensor_spec import ServedSignature, TensorSpec, read_signatures
from archspec.runtime.serve.request_error import RequestError

FLOATS = ServedSignature(
    "serving_default",
    {"images": TensorSpec("float32", (None, 2, 3))},
    "pixels",
    {"p": TensorSpec("float32", (None, 4))},
)
FREE = ServedSignature("free", {"images": TensorSpec("float32", (None, None, 3))}, "pixels", {})
IMAGES = ServedSignature("serve_images", {"images": TensorSpec("string", (None,))}, "encoded", {})
SIGNATURES = {each.name: each for each in (FLOATS, FREE, IMAGES)}
ONE = [[1, 2, 3], [4, 5, 6]]


def parsed(document: Any) -> PredictRequest:
    return parse_predict(json.dumps(document).encode(), SIGNATURES, 8)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/models/a", ModelPath("a", None, None, "status")),
        ("GET", "/v1/models/a/versions/12", ModelPath("a", 12, None, "status")),
        ("GET", "/v1/models/a/labels/stable/metadata", ModelPath("a", None, "stable", "metadata")),
        ("GET", "/v1/models/a b/metadata", ModelPath("a b", None, None, "metadata")),
        ("POST", "/v1/models/a:predict", ModelPath("a", None, None, "predict")),
        ("POST", "/V1/Models/a/Versions/1:PREDICT", ModelPath("a", 1, None, "predict")),
        ("POST", "/v1/models/a/labels/x:classify", ModelPath("a", None, "x", "classify")),
    ],
)
def test_paths_are_those_of_tensorflow_serving(method: str, path: str, expected: ModelPath) -> None:
    assert model_path(method, path) == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/models/a"),
        ("GET", "/v1/models/a:predict"),
        ("POST", "/v1/models/a/b:predict"),
        ("POST", "/v1/models/a:explain"),
        ("PUT", "/v1/models/a:predict"),
        ("GET", "/v1/nothing"),
        ("GET", "/v1/models/a/versions/x"),
        ("GET", f"/v1/models/a/versions/{10**30}"),
    ],
)
def test_another_path_is_a_malformed_request(method: str, path: str) -> None:
    with pytest.raises(RequestError) as error:
        model_path(method, path)
    assert error.value.status == 400
    assert error.value.message.startswith(f"Malformed request: {method} {path}"[:200])


def test_rows_and_columns_are_accepted_with_and_without_the_name() -> None:
    for document in (
        {"instances": [ONE, ONE]},
        {"instances": [{"images": ONE}, {"images": ONE}]},
        {"inputs": [ONE, ONE]},
        {"inputs": {"images": [ONE, ONE]}},
        {"signature_name": "serving_default", "instances": [ONE, ONE], "unknown": 1},
    ):
        found = parsed(document)
        assert isinstance(found.values, np.ndarray)
        assert (found.values.dtype, found.values.tolist()) == (np.float32, [ONE, ONE])
        assert (found.by_row, len(found)) == ("instances" in document, 2)


def test_bytes_come_in_base64() -> None:
    b64 = {"b64": base64.b64encode(b"\x00abc").decode()}
    for document in (
        {"instances": [b64, b64]},
        {"instances": [{"images": b64}] * 2},
        {"inputs": {"images": [b64, b64]}},
        {"inputs": [b64, b64]},
    ):
        assert parsed({"signature_name": "serve_images", **document}).values == [b"\x00abc"] * 2
    assert parsed({"signature_name": "serve_images", "inputs": b64}).values == [b"\x00abc"]


WRONG: list[tuple[bytes, str]] = [
    (b"", "The document is empty"),
    (b"  \n", "The document is empty"),
    (b"[1]", "must be a JSON object"),
    (b'{"instances": [', "JSON Parse error"),
    (b"\xff\xd8\xff\xe0 a JPEG", "This is an image"),
    (b"--boundary\r\n", "multipart/form-data to POST /predict"),
    (b'{"instances": "\xff"}', "JSON Parse error"),
    (b'{"x": 1}', "Missing 'inputs' or 'instances' key"),
    (b'{"instances": [], "inputs": []}', "exclude each other"),
    (b'{"instances": 3}', "must be a list, not a number"),
    (b'{"inputs": "a"}', "must be a list or an object, not a string"),
    (b'{"instances": []}', "there are no instances"),
    (b'{"instances": [1, 2]}', "the shape (2,)"),
    (b'{"instances": [[1, 2, 3]]}', "the shape (1, 3)"),
    (b'{"instances": [[[1, 2, 3], [4, 5]]]}', "do not have one shape"),
    (b'{"instances": [[["1", "2", "3"], ["4", "5", "6"]]]}', "not all numbers"),
    (b'{"instances": [[[1, 2, 3], [4, 5, null]]]}', "not all numbers"),
    (b'{"instances": [[[1, true, 3], [4, 5, 6]]]}', "not all numbers"),
    (b'{"instances": [[["%s", 1, 1], [1, 1, 1]]]}' % (b"x" * 200_000), "not all numbers"),
    (b'{"instances": [[[NaN, %s, 1], [1, 1, 1]]]}' % (b"9" * 400), "float32"),
    (b'{"instances": [%s[]]}' % (b"[]," * 1_000_000), "1,000,001 instances; at most 8"),
    (b'{"instances": [[[true, false, true], [true, true, true]]]}', "not all numbers"),
    (b'{"instances": [[[1, 2, 3], [4, 5, NaN]]]}', "NaN or infinity"),
    (b'{"instances": [[[1, 2, 3], [4, 5, -Infinity]]]}', "NaN or infinity"),
    (b'{"instances": [[[1, 2, 3], [4, 5, 1e300]]]}', "overflows float32"),
    (b'{"instances": [{"pixels": 1}]}', "instance 0: the input is named `images`, but the request has `pixels`"),
    (b'{"instances": [{"b64": "AA=="}]}', "instance 0 is an encoded image"),
    (b'{"instances": %s}' % json.dumps([ONE] * 9).encode(), "9 instances; at most 8"),
    (b'{"signature_name": "free", "instances": [[]]}', "the shape (1, 0)"),
    (b'{"signature_name": "nope", "instances": [1]}', "the signatures are `serving_default`, `free`, `serve_images`"),
    (b'{"signature_name": 3, "instances": [1]}', "'signature_name' must be a string, not a number"),
    (b'{"signature_name": null, "instances": [1]}', "'signature_name' must be a string, not null"),  # as json_tensor.cc
    (b'{"signature_name": [], "instances": [1]}', "'signature_name' must be a string, not a list"),
    (b'{"signature_name": "serve_images", "instances": ["abc"]}', "instance 0 is a string"),
    (b'{"signature_name": "serve_images", "instances": [{"b64": 3}]}', "expects image files in base64"),
    (b'{"signature_name": "serve_images", "instances": [{"b64": "*"}]}', "not valid base64"),
    (b'{"instances": %s}' % (b"[" * 500 + b"]" * 500), "`serving_default` expects"),
    (b'{"instances": %s}' % (b"[" * 100_000 + b"]" * 100_000), "JSON Parse error"),
    (b'{"instances": [[[NaN]]], "x": %s}' % (b"[" * 100_000 + b"]" * 100_000), "JSON Parse error"),
    (b'{"instances": %s}' % (b"9" * 5000), "number is infinity"),
]


@pytest.mark.parametrize(("body", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_wrong_body_is_answered_with_what_is_wrong(body: bytes, said: str) -> None:
    with pytest.raises(RequestError) as error:
        parse_predict(body, SIGNATURES, 8)
    assert error.value.status == 400
    assert said in error.value.message
    assert len(error.value.message) < 500


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["images", "b64", "a"]), inner, max_size=2)
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "signature_name": st.sampled_from([*SIGNATURES, "x", None, 1]),
            "instances": JSON_VALUES,
            "inputs": JSON_VALUES,
        },
    )
)
def test_every_json_document_is_parsed_or_refused(document: dict[str, Any]) -> None:
    """What is accepted has the declared shape and is finite."""
    try:
        found = parsed(document)
    except RequestError:
        return
    if isinstance(found.values, np.ndarray):
        assert found.signature.inputs["images"].fits(found.values.shape)
        assert found.values.dtype == np.float32
        assert np.isfinite(found.values).all()


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_every_body_is_parsed_or_refused(body: bytes) -> None:
    with pytest.raises(RequestError):
        parse_predict(body, SIGNATURES, 8)


def test_the_answer_has_the_format_of_the_request() -> None:
    """A single output has no name."""
    one = {"p": np.array([[0.25, 0.5], [1, 0]], np.float32)}
    two = {**one, "classes": np.array([["a", "b"], ["c", "é"]], object)}
    assert json.loads(rest_answer.predictions(one, by_row=True)) == {"predictions": [[0.25, 0.5], [1, 0]]}
    assert json.loads(rest_answer.predictions(one, by_row=False)) == {"outputs": [[0.25, 0.5], [1, 0]]}
    rows = [{"p": [0.25, 0.5], "classes": ["a", "b"]}, {"p": [1, 0], "classes": ["c", "é"]}]
    assert json.loads(rest_answer.predictions(two, by_row=True)) == {"predictions": rows}
    columns = {"p": [[0.25, 0.5], [1, 0]], "classes": [["a", "b"], ["c", "é"]]}
    assert json.loads(rest_answer.predictions(two, by_row=False)) == {"outputs": columns}


def test_bytes_and_nan_are_written_as_tensorflow_serving_does() -> None:
    """Outputs named `*_bytes` in base64; NaN as a token, which is not standard JSON."""
    values = {"raw_bytes": np.array([b"\x00\xff"], object), "p": np.array([np.nan], np.float32)}
    text = rest_answer.predictions(values, by_row=False)
    assert b"NaN" in text
    assert json.loads(text)["outputs"]["raw_bytes"] == [{"b64": "AP8="}]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
def test_float32_survives_the_way_through_json(values: list[float]) -> None:
    expected = np.array(values, np.float32)
    found = json.loads(rest_answer.predictions({"p": expected}, by_row=False))["outputs"]
    assert np.array_equal(np.array(found, np.float32), expected)


def test_status_and_metadata_are_messages_of_tensorflow_serving() -> None:
    """Its own protobuf types read them."""
    pytest.importorskip("tensorflow_serving", reason="tensorflow-serving-api is not installed")
    from google.protobuf import json_format
    from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

    states = {1: ("END", "broken"), 2: ("AVAILABLE", "")}
    status = json_format.Parse(rest_answer.status(states), get_model_status_pb2.GetModelStatusResponse())
    assert [each.version for each in status.model_version_status] == [2, 1]
    assert status.model_version_status[0].state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert status.model_version_status[1].status.error_message == "broken"
    document = json.loads(rest_answer.metadata("a", 3, SIGNATURES))
    definition = json_format.ParseDict(
        document["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap()
    ).signature_def
    assert document["model_spec"] == {"name": "a", "signature_name": "", "version": "3"}
    shape = definition["serving_default"].inputs["images"].tensor_shape
    assert [each.size for each in shape.dim] == [-1, 2, 3]
    assert definition["serve_images"].inputs["images"].dtype == 7  # DT_STRING
    assert definition["serving_default"].method_name == "tensorflow/serving/predict"


def test_the_signatures_of_export_json_are_read() -> None:
    description = {
        "signatures": {
            "serving_default": {
                "inputs": {"images": {"dtype": "float32", "shape": [None, 2, 3], "content": "pixels"}},
                "outputs": {"p": {"dtype": "float32", "shape": [None, 4]}},
            }
        }
    }
    assert read_signatures(description) == {"serving_default": FLOATS}
    assert (
        FLOATS.expects()
        == "`serving_default` expects `images`: float32 (B, 2, 3), pixels of 0 to 255 after resize and crop"
    )


def test_a_long_text_among_numbers_takes_no_memory_for_each() -> None:
    """As an array of texts, 100,000 numbers beside a text of a megabyte would take 400 GB."""
    body = b'{"instances": [[[%s"%s", 1, 1]]]}' % (b"1," * 100_000, b"x" * 1_000_000)
    tracemalloc.start()
    with pytest.raises(RequestError, match="not all numbers"):
        parse_predict(body, SIGNATURES, 8)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 20_000_000
