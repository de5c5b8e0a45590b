"""The body of a `:predict` request, as TensorFlow Serving defines it: JSON with `instances` (rows) or `inputs`."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from archspec.runtime.export.network import together
from archspec.runtime.serve.models.tensor_spec import ServedSignature
from archspec.runtime.serve.request_error import INVALID_ARGUMENT, RequestError

DEFAULT = "serving_default"


@dataclass(frozen=True)
class PredictRequest:
    """A request whose values have been checked.

    Attributes:
        values: float32 (B, ...), of several inputs (B,) with a field for each, or the bytes of B image files.
        by_row: whether the client sent `instances` and expects `predictions`.
    """

    signature: ServedSignature
    values: npt.NDArray[Any] | list[bytes]
    by_row: bool

    def __len__(self) -> int:
        return len(self.values)


def wrong(message: str) -> RequestError:
    """The error of a request that the signature does not accept."""
    return RequestError(INVALID_ARGUMENT, message)


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises RequestError."""
    if not body.strip():
        raise wrong('JSON Parse error: The document is empty. Send {"instances": [...]}')
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        found = _with_nan(body, str(error))
    except RecursionError:
        raise wrong("JSON Parse error: the document is nested too deeply") from None
    if not isinstance(found, dict):
        raise wrong('The request must be a JSON object: {"instances": [...]}')
    return found


def _with_nan(body: bytes, reason: str) -> Any:
    """JSON with the tokens NaN and Infinity, which TensorFlow Serving accepts and orjson does not."""
    if any(token in body for token in (b"NaN", b"Infinity")):
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            pass
    hint = ""
    if body.startswith((b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"BM")):
        hint = ". This is an image: send it to POST /predict, or in base64 in a JSON document"
    elif body.startswith(b"--"):
        hint = ". Send multipart/form-data to POST /predict"
    raise wrong(f"JSON Parse error: {reason}{hint}")


def parse_predict(body: bytes, signatures: Mapping[str, ServedSignature], most: int) -> PredictRequest:
    """The checked values of a request.

    Args:
        signatures: of the model, by name.
        most: instances in a request.

    Raises:
        RequestError: 400, with what the signature expects.
    """
    document = parse_json(body)
    name, known = document.get("signature_name", DEFAULT), ", ".join(f"`{each}`" for each in signatures)
    if not isinstance(name, str):
        raise wrong(f"'signature_name' must be a string, not {_kind(name)}; the signatures are {known}")
    if (name or DEFAULT) not in signatures:
        raise wrong(f'Serving signature name: "{name[:100]}" not found in signature def; the signatures are {known}')
    signature = signatures[name or DEFAULT]
    if ("instances" in document) == ("inputs" in document):
        which = "both" if "inputs" in document else "neither"
        found = (
            "Missing 'inputs' or 'instances' key"
            if which == "neither"
            else "'inputs' and 'instances' exclude each other"
        )
        raise wrong(f"{found}; {signature.expects()}")
    by_row = "instances" in document
    columns = _rows(document["instances"], signature, most) if by_row else _columns(document["inputs"], signature)
    sizes = {name: len(rows) for name, rows in columns.items()}
    if len(set(sizes.values())) > 1:
        found = " and ".join(f"{size:,} of `{name}`" for name, size in sizes.items())
        raise wrong(f"the inputs have different numbers of values: {found}; {signature.expects()}")
    size = max(sizes.values())
    if not size:
        raise wrong(f"there are no instances; {signature.expects()}")
    _check_size(size, most)
    if signature.is_encoded:
        (contents,) = (_contents(rows, signature) for rows in columns.values())
        return PredictRequest(signature, contents, by_row)
    values = {name: _floats(rows, signature, name) for name, rows in columns.items()}
    return PredictRequest(signature, together(values), by_row)


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise wrong(f"the request has {size:,} instances; at most {most:,} are computed at a time")


def _is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"}


def _rows(instances: Any, signature: ServedSignature, most: int) -> dict[str, list[Any]]:
    """The values of each input in the row format: bare, or `{"images": value}`."""
    if not isinstance(instances, list):
        raise wrong(f"'instances' must be a list, not {_kind(instances)}; {signature.expects()}")
    _check_size(len(instances), most)
    found: dict[str, list[Any]] = {name: [] for name in signature.inputs}
    for row, each in enumerate(instances):
        for name, value in _named(each, signature, f"instance {row}: ").items():
            found[name].append(value)
    return found


def _columns(inputs: Any, signature: ServedSignature) -> dict[str, list[Any]]:
    """The values of each input in the column format: a list, or `{"images": list}`."""
    found = _named(inputs, signature, "")
    for name, values in found.items():
        if _is_bytes(values):
            found[name] = [values]
        elif not isinstance(values, list):
            raise wrong(f"'inputs' must be a list or an object, not {_kind(values)}; {signature.expects()}")
    return found


def _named(value: Any, signature: ServedSignature, place: str) -> dict[str, Any]:
    """The values by the names of the inputs. That of a single input needs no name."""
    names = signature.inputs.keys()
    if not isinstance(value, dict) or _is_bytes(value):
        if len(names) > 1:
            listed = " and ".join(f"`{each}`" for each in names)
            raise wrong(f"{place}an object with {listed} is needed, not {_kind(value)}; {signature.expects()}")
        return dict.fromkeys(names, value)
    if value.keys() != names:
        given = ", ".join(f"`{str(each)[:50]}`" for each in list(value)[:5]) or "nothing"
        listed = " and ".join(f"`{each}`" for each in names)
        fact = f"the inputs are named {listed}" if len(names) > 1 else f"the input is named {listed}"
        raise wrong(f"{place}{fact}, but the request has {given}; {signature.expects()}")
    return {name: value[name] for name in names}


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _contents(rows: Sequence[Any], signature: ServedSignature) -> list[bytes]:
    """The bytes of image files from `{"b64": ...}`."""
    found = []
    for row, value in enumerate(rows):
        if not _is_bytes(value) or not isinstance(value["b64"], str):
            raise wrong(f"instance {row} is {_kind(value)}; {signature.expects()}")
        try:
            found.append(base64.b64decode(value["b64"], validate=True))
        except (binascii.Error, ValueError):
            raise wrong(f"instance {row} is not valid base64; {signature.expects()}") from None
    return found


def _floats(rows: Sequence[Any], signature: ServedSignature, name: str) -> npt.NDArray[np.float32]:
    """The values of an input as float32 (B, ...)."""
    bare = next((row for row, each in enumerate(rows) if _is_bytes(each)), None)
    if bare is not None:
        raise wrong(f"instance {bare} is an encoded image; {signature.expects()}")
    try:
        values = np.array(rows, np.float64)  # with a dtype, for a long text would make every value as long
    except (TypeError, ValueError) as error:
        ragged = "inhomogeneous" in str(error)
        fact = "the instances do not have one shape" if ragged else "the values are not all numbers"
        raise wrong(f"{fact}; {signature.expects()}") from None
    except OverflowError:
        raise wrong(f"the values contain a number that overflows float32; {signature.expects()}") from None
    flat: Iterable[Any] = rows
    for _ in values.shape[1:]:
        flat = chain.from_iterable(flat)
    if not {float, int}.issuperset(map(type, flat)):  # NumPy reads numbers in texts, and true as 1
        raise wrong(f"the values are not all numbers; {signature.expects()}")
    if not signature.inputs[name].fits(values.shape):
        shape = ", ".join(map(str, values.shape))
        what = f"`{name}`" if len(signature.inputs) > 1 else "the request"
        raise wrong(f"{what} has the shape ({shape}{',' * (values.ndim == 1)}); {signature.expects()}")
    if 0 in values.shape:
        raise wrong(f"the instances have no values; {signature.expects()}")
    with np.errstate(over="ignore"):
        found = values.astype(np.float32)
    if not np.isfinite(found).all():
        what = "NaN or infinity" if not np.isfinite(values).all() else "a number that overflows float32"
        raise wrong(f"the values contain {what}; {signature.expects()}")
    return found
