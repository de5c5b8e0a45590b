"""The paths of TensorFlow Serving's REST API, from its source (http_rest_api_handler.cc)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from archspec.runtime.serve.request_error import INVALID_ARGUMENT, RequestError

_WHICH = r"(?:/versions/(?P<version>[0-9]{1,18})|/labels/(?P<label>[^/:]+))?"
_METHOD = re.compile(rf"/v1/models/(?P<model>[^/:]+){_WHICH}:(?P<method>classify|regress|predict)", re.IGNORECASE)
_STATUS = re.compile(rf"/v1/models(?:/(?P<model>[^/:]+))?{_WHICH}(?:/(?P<method>metadata))?", re.IGNORECASE)


@dataclass(frozen=True)
class ModelPath:
    """A path under /v1/models, taken apart."""

    model: str
    version: int | None
    label: str | None
    method: str
    """`predict`, `classify`, `regress`, `metadata` or `status`."""


def model_path(http_method: str, path: str) -> ModelPath:
    """A path under /v1. Raises RequestError (400) for any other, as TensorFlow Serving does."""
    pattern = {"POST": _METHOD, "GET": _STATUS}.get(http_method)
    found = pattern.fullmatch(path) if pattern else None
    if found is None:
        hint = "paths are GET /v1/models/NAME[/versions/N][/metadata] and POST /v1/models/NAME[/versions/N]:predict"
        raise RequestError(INVALID_ARGUMENT, f"Malformed request: {http_method} {path[:200]} ({hint})")
    if found["model"] is None:
        raise RequestError(INVALID_ARGUMENT, "Missing model name in request; GET /models lists the models")
    version = None if found["version"] is None else int(found["version"])
    return ModelPath(found["model"], version, found["label"], (found["method"] or "status").lower())
