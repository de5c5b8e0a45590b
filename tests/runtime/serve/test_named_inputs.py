"""Networks with several inputs and outputs, and of maps, behind HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archspec
from archspec.runtime.serve.http.predict_request import parse_predict
from archspec.runtime.serve.models.tensor_spec import ServedSignature, TensorSpec
from archspec.runtime.serve.request_error import RequestError
from tests.runtime.export.conftest import map_model as map_model
from tests.runtime.export.conftest import two_of_each as two_of_each
from tests.runtime.serve.conftest import Exports
from tests.runtime.serve.running import Running, running

TWO = ServedSignature(
    "serving_default",
    {"a": TensorSpec("float32", (None, 2)), "b": TensorSpec("float32", (None, None, 1))},
    "values",
    {},
)


@pytest.mark.parametrize("form", ["instances", "inputs"])
def test_rows_and_columns_name_the_inputs(form: str) -> None:
    a, b = [[1, 2], [3, 4]], [[[5]], [[6]]]
    rows = [{"a": a[0], "b": b[0]}, {"b": b[1], "a": a[1]}]
    found = parse_predict(
        json.dumps({form: rows if form == "instances" else {"a": a, "b": b}}).encode(), {TWO.name: TWO}, 8
    )
    assert isinstance(found.values, np.ndarray)
    assert (len(found), found.by_row) == (2, form == "instances")
    assert {name: found.values[name].tolist() for name in ("a", "b")} == {"a": a, "b": b}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"instances": [[1, 2]]}, "instance 0: an object with `a` and `b` is needed, not a list"),
        ({"instances": [{"a": [1, 2]}]}, "instance 0: the inputs are named `a` and `b`, but the request has `a`"),
        ({"inputs": {"a": [[1, 2]], "b": [[[1]], [[2]]]}}, "different numbers of values: 1 of `a` and 2 of `b`"),
        ({"inputs": {"a": [[1]], "b": [[[1]]]}}, "`a` has the shape (1, 1)"),
        ({"inputs": {"a": [], "b": []}}, "there are no instances"),
        ({"inputs": {"a": 1, "b": [[[1]]]}}, "must be a list or an object, not a number"),
    ],
)
def test_wrong_inputs_are_answered_with_what_is_expected(document: Any, said: str) -> None:
    with pytest.raises(RequestError) as error:
        parse_predict(json.dumps(document).encode(), {TWO.name: TWO}, 8)
    assert error.value.status == 400
    assert said in error.value.message
    assert "expects `a`: float32 (B, 2) and `b`: float32 (B, any, 1), as the network takes them" in error.value.message


@pytest.fixture(scope="module")
def folder(two_of_each: Path, map_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports of both networks."""
    out = tmp_path_factory.mktemp("served")
    for name, model in (("two", two_of_each), ("map", map_model)):
        archspec.export(model, out / name, format="keras", verify=False)
    return out


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Running]:
    with running(folder) as found:
        yield found


def test_every_output_is_answered_by_name(server: Running, two_of_each: Path) -> None:
    """As the Keras model computes it, for requests of any form, and requests that share a batch."""
    model = keras.saving.load_model(two_of_each)
    rng = np.random.default_rng(0)
    image, numbers = rng.random((3, 12, 14, 3), np.float32), rng.random((3, 5), np.float32)
    mask, label = model.predict_on_batch([image, numbers])
    inputs = {"numbers": numbers.tolist(), "image": image.tolist()}
    columns = server.post("/v1/models/two:predict", {"inputs": inputs}).json["outputs"]
    np.testing.assert_allclose(columns["mask"], mask, atol=1e-6)
    np.testing.assert_allclose(columns["label"], label, atol=1e-6)
    instances = [{"image": image[row].tolist(), "numbers": numbers[row].tolist()} for row in range(3)]
    rows = server.post("/v1/models/two:predict", {"instances": instances}).json["predictions"]
    np.testing.assert_allclose([each["label"] for each in rows], label, atol=1e-6)
    definition = server.get("/v1/models/two/metadata").json["metadata"]["signature_def"]["signature_def"]
    assert list(definition) == ["serving_default"]
    assert list(definition["serving_default"]["inputs"]) == ["image", "numbers"]
    assert list(definition["serving_default"]["outputs"]) == ["mask", "label"]


def test_people_are_told_what_is_not_shown(server: Running, exports: Exports) -> None:
    (photo, *_) = exports.images.values()
    refused = server.upload("/predict?model=two", {"a.png": photo})
    assert refused.status == 400
    assert "this path is for models that take one image; `serving_default` expects `image`: float32" in refused.error
    (small,) = server.upload("/predict?model=map", {"a.png": photo}).json["predictions"]
    assert np.shape(small["outputs"]["probabilities"]) == (14, 12, 2)
    models = {each["name"]: each for each in server.get("/models").json["models"]}
    assert (models["two"]["takes_images"], models["two"]["inputs"]) == (False, ["image", "numbers"])
    assert models["map"]["outputs"] == ["probabilities"]


def test_large_outputs_are_only_named() -> None:
    from archspec.runtime.serve.models.answer_outputs import answer_rows

    outputs = {"mask": np.zeros((1, 40, 30, 2), np.float32), "label": np.ones((1, 2), np.float32)}
    (row,) = answer_rows(outputs, 5)
    assert row == {
        "outputs": {"label": [1, 1]},
        "not_shown": "mask has 40 x 30 x 2 values, which only the API under /v1 returns",
    }
