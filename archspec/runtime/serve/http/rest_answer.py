"""The JSON documents with which TensorFlow Serving answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from archspec.runtime.serve.models.tensor_spec import Outputs, ServedSignature


def json_bytes(document: Any) -> bytes:
    """JSON of plain values and arrays, in which float32 has as few digits as identify it."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def error_body(message: str) -> bytes:
    """`{"error": message}`, as for every error."""
    return json_bytes({"error": message.encode(errors="replace").decode()})


def predictions(outputs: Outputs, *, by_row: bool) -> bytes:
    """The answer to `:predict`: `predictions`, one for each instance, or `outputs`, one for each output.

    A single output has no name. NaN and Infinity are written as these tokens, as TensorFlow Serving does.
    """
    plain = {name: _plain(name, value) for name, value in outputs.items()}
    single = next(iter(plain.values())) if len(plain) == 1 else None
    if not by_row:
        document = {"outputs": plain if single is None else single}
    elif single is not None:
        document = {"predictions": single}
    else:
        rows = len(next(iter(plain.values())))
        document = {"predictions": [{name: value[row] for name, value in plain.items()} for row in range(rows)]}
    finite = all(np.isfinite(value).all() for value in outputs.values() if value.dtype.kind == "f")
    return json_bytes(document) if finite else json.dumps(document, default=lambda value: value.tolist()).encode()


def _plain(name: str, value: npt.NDArray[Any]) -> Any:
    if value.dtype.kind == "f":
        return np.ascontiguousarray(value, np.float32)
    encoded = name.endswith("_bytes")
    if value.dtype == object and not encoded and all(isinstance(each, str) for each in value.flat):
        return value.tolist()
    return _texts(value.tolist(), encoded=encoded)


def _texts(value: Any, *, encoded: bool) -> Any:
    """Nested lists of strings; those of an output `*_bytes` in base64."""
    if isinstance(value, list):
        return [_texts(each, encoded=encoded) for each in value]
    raw = value if isinstance(value, bytes) else str(value).encode()
    return {"b64": base64.b64encode(raw).decode()} if encoded else raw.decode(errors="replace")


def status(versions: Mapping[int, tuple[str, str]]) -> bytes:
    """The answer to GET /v1/models/NAME: the state of each version, and the reason of a failure."""
    return json_bytes(
        {
            "model_version_status": [
                {
                    "version": str(number),
                    "state": state,
                    "status": {"error_code": "UNKNOWN" if reason else "OK", "error_message": reason},
                }
                for number, (state, reason) in sorted(versions.items(), reverse=True)
            ]
        }
    )


def metadata(model: str, version: int, signatures: Mapping[str, ServedSignature]) -> bytes:
    """The answer to GET /v1/models/NAME/metadata."""
    definition = {"signature_def": {name: each.to_json() for name, each in signatures.items()}}
    return json_bytes(
        {
            "model_spec": {"name": model, "signature_name": "", "version": str(version)},
            "metadata": {"signature_def": definition},
        }
    )
