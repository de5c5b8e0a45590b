"""A server over loopback: what it answers, and that its answers are those of `archspec predict`."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.runtime.serve.limits import Limits
from tests.runtime.serve.conftest import Exports
from tests.runtime.serve.running import Running, running


def image_request(images: list[bytes]) -> dict[str, object]:
    return {
        "signature_name": "serve_images",
        "instances": [{"b64": base64.b64encode(each).decode()} for each in images],
    }


@pytest.mark.parametrize("name", ["saved", pytest.param("onnx", marks=pytest.mark.slow), "litert", "keras"])
def test_every_format_answers_as_predict(name: str, exports: Exports) -> None:
    """The same order of classes, and the probabilities to 1e-6, for images of several formats and sizes."""
    expected, images = exports.predicted(), exports.images
    with running(exports.saved(name)) as server:
        rows = server.post(f"/v1/models/{name}:predict", image_request(list(images.values()))).json["predictions"]
        uploaded = server.upload("/predict?top=5", images).json["predictions"]
    assert [each["file"] for each in uploaded] == list(images)
    for file, row, upload in zip(images, rows, uploaded, strict=True):
        classes, probabilities = zip(*expected[file], strict=True)
        assert row["classes"] == list(classes)
        assert row["probabilities"] == pytest.approx(probabilities, abs=1e-6)
        assert [each["class"] for each in upload["classes"]] == list(classes)
        assert [each["probability"] for each in upload["classes"]] == pytest.approx(probabilities, abs=1e-6)


def test_floats_go_to_the_network_as_they_are(served: Running, exports: Exports) -> None:
    """Rows, columns, and one request after the other on one connection."""
    import keras

    x = np.random.default_rng(1).normal(size=(3, 12, 10, 3)).astype(np.float32)
    expected = keras.saving.load_model(exports.model)(x).numpy()
    path = "/v1/models/saved:predict"
    assert np.allclose(served.post(path, {"instances": x.tolist()}).json["predictions"], expected, atol=1e-6)
    assert np.allclose(served.post(path, {"inputs": {"images": x.tolist()}}).json["outputs"], expected, atol=1e-6)
    document = json.dumps({"instances": x.tolist()}).encode()
    members = document[:50], b"", document[50:]
    zipped = b"".join(map(gzip.compress, members)) + bytes(9)  # with padding
    for name in ("gzip", "X-GZIP"):
        found = served.ask("POST", path, zipped, Content_Encoding=name)
        assert np.allclose(found.json["predictions"], expected, atol=1e-6)


def test_a_model_is_described(served: Running, exports: Exports) -> None:
    (state,) = served.get("/v1/models/saved").json["model_version_status"]
    assert (state["version"], state["state"], state["status"]["error_code"]) == ("1", "AVAILABLE", "OK")
    assert served.get("/v1/models/saved/versions/1").json["model_version_status"] == [state]
    signatures = served.get("/v1/models/saved/metadata").json["metadata"]["signature_def"]["signature_def"]
    assert list(signatures) == ["serving_default", "serve_images"]
    (model,) = served.get("/models").json["models"]
    assert (model["name"], model["classes"], model["takes_images"]) == ("saved", list("01234"), True)
    for path in ("/models", "/v1/models/saved", "/v1/models/saved/metadata", "/metrics"):
        assert str(exports.folder) not in served.get(path).body.decode()
    assert (served.get("/healthz").status, served.get("/readyz").status) == (200, 200)
    metrics = served.get("/metrics").body.decode()
    assert 'archspec_requests_total{endpoint="status",model="saved"' in metrics or "archspec_requests_total" in metrics
    assert "archspec_batch_rows_count" in metrics


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/v1/models/nope", 404, "Servable not found for request: Latest(nope); the models are: `saved`"),
        ("GET", "/v1/models/saved/versions/7", 404, "Specific(saved, 7)"),
        ("POST", "/v1/models/saved/labels/x:predict", 404, "Unrecognized servable version label: x"),
        ("POST", "/v1/models/saved:regress", 400, "Use :predict"),
        ("POST", "/v1/nope", 400, "Malformed request: POST /v1/nope"),
        ("PATCH", "/v1/models/saved:predict", 400, "Malformed request: PATCH"),
        ("GET", "/v1", 400, "Malformed request: GET /v1"),
        ("GET", "/nope", 404, "there is nothing at /nope"),
        ("GET", "/../../etc/passwd", 404, "there is nothing at"),
        ("POST", "/metrics", 405, "/metrics takes GET"),
        ("GET", "/predict", 405, "/predict takes POST"),
        ("POST", "/predict?top=0", 400, "`top` must be a number from 1 to 1,000"),
        ("POST", "/predict?model=x", 404, "the models are: `saved`"),
        ("POST", "/predict", 415, "expects multipart/form-data"),
        ("POST", "/explain", 400, "Grad-CAM needs the Keras model of a classifier"),
    ],
)
def test_errors_have_the_status_and_say_why(served: Running, method: str, path: str, status: int, said: str) -> None:
    found = served.ask(method, path, b"" if method != "GET" else None)
    assert found.status == status
    assert said in found.error


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size."""
    import struct
    import zlib

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def test_what_is_no_image_is_refused_with_its_name(served: Running, exports: Exports) -> None:
    good = exports.images["a.png"]
    for contents, said in (
        (b"hello", "not an image"),
        (b"", "an empty file"),
        (good[:60], "a damaged PNG"),
        (png_header(60_000, 60_000), "an image of more than"),
        (png_header(8_000, 8_000), "8,000 x 8,000 pixels; this server decodes up to 32,000,000 pixels"),
    ):
        found = served.post("/v1/models/saved:predict", image_request([good, contents]))
        assert (found.status, found.error.partition(": ")[0]) == (400, "instance 1")
        assert said in found.error
        found = served.upload("/predict", {"x.png": contents})
        assert found.status == 400
        assert found.error.startswith("x.png: ")
        both = served.upload("/predict", {"good.png": good, "../../x.png": contents}).json["predictions"]
        assert both[0]["error"] is None
        assert (both[1]["file"], both[1]["classes"]) == ("x.png", [])
        assert said in both[1]["error"]


def test_forms_and_bare_images_are_accepted_and_others_not(served: Running, exports: Exports) -> None:
    image = exports.images["b.jpg"]
    assert served.ask("POST", "/predict", image, Content_Type="image/jpeg").status == 200
    multipart = "multipart/form-data"
    for body, kind, status, said in (
        (image, "text/plain", 415, "not text/plain"),
        (b"{}", "application/json", 415, "not application/json"),
        (b"--x\r\n", multipart, 400, "Missing boundary"),
        (b"garbage", f"{multipart}; boundary=x", 400, "cannot be read"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--", f"{multipart}; boundary=x", 400, "cannot be read"),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--',
            f"{multipart}; boundary=x",
            400,
            "no image",
        ),
        (  # a browser's field for a file, when none is chosen
            b'--x\r\nContent-Disposition: form-data; name="a"; filename=""\r\n\r\n\r\n--x--',
            f"{multipart}; boundary=x",
            400,
            "no image files",
        ),
        (b"", "image/png", 400, "image: an empty file"),
    ):
        found = served.ask("POST", "/predict", body, Content_Type=kind)
        assert (found.status, said in found.error) == (status, True), (found.error, body)


def test_large_requests_are_refused_before_they_are_read(exports: Exports) -> None:
    """By their declared length, while they are read, and after decompression."""
    path, mib = "/v1/models/saved:predict", 2**20
    with running(exports.saved(), limits=Limits(body=mib, queue=4)) as server:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
        found = server.raw(f"{head}Content-Length: {10**9}\r\n\r\n".encode())
        assert (found.status, "larger than 1 MiB" in found.error) == (413, True)
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        found = server.raw(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + 20 * chunk)
        assert found.status == 413
        bomb = gzip.compress(b" " * 50 * mib)
        assert len(bomb) < mib / 10
        assert server.ask("POST", path, bomb, Content_Encoding="gzip").status == 413
        assert server.ask("POST", path, bomb[:-9], Content_Encoding="gzip").status == 413
        found = server.ask("POST", path, b"no gzip", Content_Encoding="gzip")
        assert (found.status, found.error) == (400, "the body is not valid gzip")
        for damaged in (gzip.compress(b"{}")[:-9], gzip.compress(b"{}") + b"x", 2000 * gzip.compress(b"")):
            assert server.ask("POST", path, damaged, Content_Encoding="gzip").status == 400
        assert server.ask("POST", path, b"{}", Content_Encoding="br").status == 415
        found = server.post(path, {"instances": np.zeros((5, 12, 10, 3)).tolist()})
        assert (found.status, "5 instances; at most 4" in found.error) == (400, True)
        assert server.get("/healthz").status == 200


def test_a_new_version_is_served_and_the_old_one_forgotten(exports: Exports, tmp_path: Path) -> None:
    """Requests meet one of the two all the time."""
    shutil.copytree(exports.saved(), tmp_path / "saved")
    x = {"instances": np.zeros((1, 12, 10, 3)).tolist()}
    with running(tmp_path / "saved") as server:
        archspec.export(exports.model, tmp_path / "saved", verify=False, optimize=True)
        end = time.monotonic() + 30
        while not any("version 1 is no longer served" in line for line in server.lines) and time.monotonic() < end:
            assert server.post("/v1/models/saved:predict", x).status == 200
        assert [each["version"] for each in server.get("/v1/models/saved").json["model_version_status"]] == ["2"]
        assert server.post("/v1/models/saved/versions/1:predict", x).status == 404
        assert server.post("/v1/models/saved/versions/2:predict", x).status == 200


@pytest.mark.slow
def test_a_model_file_is_exported_and_explained(exports: Exports) -> None:
    """The map of the most probable class is that of `archspec explain`."""
    import io

    from PIL import Image

    from archspec.runtime.explain.picture import drawn

    image = exports.images["d.bmp"]
    with running(exports.model) as server:
        assert server.get("/models").json["models"][0]["can_explain"] is True
        found = server.upload("/explain", {"d.bmp": image}).json
        bad = server.upload("/explain", {"d.bmp": image[:70]})
    assert (bad.status, "BMP" in bad.error) == (400, True)
    expected = archspec.explain(exports.model, [str(exports.folder / "images" / "d.bmp")], classes="top-3")
    assert found["layer"] == expected.layer
    assert len(found["maps"]) == 3
    for given, panel in zip(found["maps"], expected.images[0].panels, strict=True):
        assert given["class"] == panel.numbers["class"]
        assert given["probability"] == pytest.approx(panel.numbers["probability"], abs=1e-6)
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(given["png"]))))
        assert np.array_equal(picture, drawn(panel, expected.images[0].pixels))
