"""The HTTP application: which function answers which path, and how errors look."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from archspec.diagnostics import printable
from archspec.runtime.serve.http import rest_answer
from archspec.runtime.serve.http.allowed_hosts import AllowedHosts
from archspec.runtime.serve.http.metrics import Metrics
from archspec.runtime.serve.http.page import PAGE_HEADERS, page
from archspec.runtime.serve.http.predict_request import parse_predict
from archspec.runtime.serve.http.request_body import BodyReader, Upload, uploads
from archspec.runtime.serve.http.rest_answer import json_bytes
from archspec.runtime.serve.http.rest_path import ModelPath, model_path
from archspec.runtime.serve.limits import Limits
from archspec.runtime.serve.models.answer_outputs import answer_rows
from archspec.runtime.serve.models.batcher import Batcher, Job
from archspec.runtime.serve.models.heatmaps import Heatmaps
from archspec.runtime.serve.models.loaded_version import LoadedVersion
from archspec.runtime.serve.models.model_store import ModelStore
from archspec.runtime.serve.models.tensor_spec import SERVE_IMAGES, Outputs
from archspec.runtime.serve.request_error import (
    DEADLINE_EXCEEDED,
    INTERNAL,
    INVALID_ARGUMENT,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    UNAVAILABLE,
    RequestError,
    busy,
)

JSON = "application/json"
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
DECODERS = min(4, os.cpu_count() or 1)
"""Threads that decode images."""
TOP = 5
"""Classes of an answer to POST /predict, if the client does not choose."""
Handler = Callable[["HttpCall"], Awaitable[Response]]


@dataclass(eq=False)
class HttpCall:
    """A request that is being answered."""

    request: Request
    deadline: float
    """Of the event loop's clock."""
    endpoint: str = "other"
    model: str = ""
    """For the metrics; the name of a model that is served."""


class App:
    """An ASGI application.

    Args:
        overloaded: whether there are more connections than allowed.
        stopping: whether the server is about to end.
        hosts: checks the header `Host`; None to allow every name.
    """

    def __init__(
        self,
        store: ModelStore,
        batcher: Batcher,
        metrics: Metrics,
        limits: Limits,
        *,
        overloaded: Callable[[], bool] = lambda: False,
        stopping: Callable[[], bool] = lambda: False,
        hosts: AllowedHosts | None = None,
    ) -> None:
        self._store, self._batcher, self._metrics, self._limits = store, batcher, metrics, limits
        self._overloaded, self._stopping, self._hosts = overloaded, stopping, hosts
        self._bodies, self._heatmaps = BodyReader(limits), Heatmaps()
        self._decoders = ThreadPoolExecutor(DECODERS, "archspec-decode")
        self._handlers: Mapping[str, tuple[str, str, Handler]] = {
            "/": ("GET", "page", self._page),
            "/healthz": ("GET", "health", self._health),
            "/readyz": ("GET", "health", self._readiness),
            "/metrics": ("GET", "metrics", self._metrics_text),
            "/models": ("GET", "models", self._models),
            "/predict": ("POST", "upload", self._predict_uploads),
            "/explain": ("POST", "explain", self._explain_upload),
        }

    def close(self) -> None:
        """End the threads."""
        self._decoders.shutdown(cancel_futures=True)
        self._heatmaps.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, loop = time.perf_counter(), asyncio.get_running_loop()
        call = HttpCall(Request(scope, receive), loop.time() + self._limits.seconds)
        try:
            response = await self._answer(call)
        except ClientDisconnect:
            return
        except RequestError as error:
            response = _error(error)
        except Exception as error:
            traceback.print_exception(error, file=sys.stderr)
            response = _error(RequestError(INTERNAL, "the server failed on this request; its log says why"))
        self._metrics.request(call.endpoint, call.model, response.status_code, time.perf_counter() - started)
        await response(scope, receive, send)

    async def _answer(self, call: HttpCall) -> Response:
        path, method = call.request.scope["path"], call.request.method
        if self._overloaded():
            raise _closing(busy("the server has too many connections; try again later", UNAVAILABLE))
        if self._hosts is not None:
            self._hosts.check(call.request.headers.get("host"))
        if path.lower() == "/v1" or path.lower().startswith("/v1/"):
            return await self._v1(call, model_path(method, path))
        if path not in self._handlers:
            raise RequestError(
                NOT_FOUND, f"there is nothing at {printable(path)[:200]}; GET / shows what this server offers"
            )
        allowed, call.endpoint, handler = self._handlers[path]
        if method != allowed and (method, allowed) != ("HEAD", "GET"):
            raise RequestError(METHOD_NOT_ALLOWED, f"{path} takes {allowed}, not {method[:20]}", {"Allow": allowed})
        return await handler(call)

    # ---- TensorFlow Serving's API ----

    async def _v1(self, call: HttpCall, path: ModelPath) -> Response:
        call.endpoint = path.method.lower()
        if path.method == "status":
            return _json(rest_answer.status(self._states(path)))
        version = self._version(call, path.model, path.version, path.label)
        if path.method == "metadata":
            return _json(rest_answer.metadata(path.model, version.number, version.signatures))
        if path.method != "predict":
            fact = f"Expected {path.method} signature method_name to be tensorflow/serving/{path.method}"
            raise RequestError(INVALID_ARGUMENT, f"{fact}. Was: tensorflow/serving/predict. Use :predict")
        async with self._bodies.read(call.request, call.deadline) as body:
            given = parse_predict(body, version.signatures, self._limits.queue)
            with self._batcher.reserved(len(given)):
                values = given.values
                if isinstance(values, list):
                    values = await self._prepared(call, version, values)
                outputs = await self._outputs(call, version, given.signature.name, values)
            return _json(rest_answer.predictions(outputs, by_row=given.by_row))

    def _states(self, path: ModelPath) -> dict[int, tuple[str, str]]:
        states = self._store.model(path.model).states()
        if path.version is None and path.label is None:
            return states
        number = path.version
        if number is None or number not in states:
            number = self._store.version(path.model, path.version, path.label).number
        return {number: states[number]}

    def _version(
        self, call: HttpCall, model: str, number: int | None = None, label: str | None = None
    ) -> LoadedVersion:
        found = self._store.version(model, number, label)
        call.model = model
        return found

    async def _outputs(self, call: HttpCall, version: LoadedVersion, signature: str, values: Any) -> Outputs:
        job = Job(version, signature, values, call.deadline, asyncio.get_running_loop().create_future())
        self._batcher.submit(job)
        outputs: Outputs = await self._in_time(call, job.answer)
        return outputs

    async def _in_time(self, call: HttpCall, work: Awaitable[Any]) -> Any:
        """Wait for a result. Raises RequestError (504)."""
        try:
            async with asyncio.timeout_at(call.deadline):
                return await work
        except TimeoutError:
            raise RequestError(
                DEADLINE_EXCEEDED, f"Timed out: the answer took longer than {self._limits.seconds:g} s"
            ) from None

    async def _prepared(self, call: HttpCall, version: LoadedVersion, images: list[bytes]) -> Any:
        if version.are_small(images):
            return version.prepare(images)
        return await self._in_time(call, self._on_thread(version.prepare, images))

    def _on_thread(self, function: Callable[..., Any], *arguments: Any) -> Awaitable[Any]:
        return asyncio.get_running_loop().run_in_executor(self._decoders, function, *arguments)

    # ---- for people ----

    async def _predict_uploads(self, call: HttpCall) -> Response:
        """Classes of image files: of each the `top` most likely ones, or why it cannot be read."""
        version, name = self._chosen(call)
        top = _number(call.request, "top", TOP, 1, 1000)
        async with self._bodies.read(call.request, call.deadline) as body:
            files = await uploads(call.request, body, self._limits.queue)
            with self._batcher.reserved(len(files)):
                inputs, errors = await self._in_time(call, self._on_thread(_prepared, version, files))
                outputs = [await self._outputs(call, version, SERVE_IMAGES, each) for each in _stacks(inputs)]
        if not inputs:
            raise RequestError(
                INVALID_ARGUMENT, "; ".join(f"{files[row].name}: {why}" for row, why in errors.items())[:2000]
            )
        found = dict(zip(inputs, [row for each in outputs for row in answer_rows(each, top)], strict=True))
        answers = [
            {"file": file.name, **found.get(row, {"classes": []}), "error": errors.get(row)}
            for row, file in enumerate(files)
        ]
        return _json(json_bytes({"model": name, "version": version.number, "predictions": answers}))

    async def _explain_upload(self, call: HttpCall) -> Response:
        """Grad-CAM of one image."""
        version, name = self._chosen(call)
        if not version.can_explain:
            fact = "Grad-CAM needs the Keras model of a classifier: serve a run directory or a .keras file"
            raise RequestError(INVALID_ARGUMENT, fact)
        async with self._bodies.read(call.request, call.deadline) as body:
            (file, *_) = await uploads(call.request, body, 1)
            with self._batcher.reserved(1):
                pixels = await self._in_time(call, self._on_thread(version.image_pixels, file.contents))
                found = await self._in_time(call, self._heatmaps.explain(version, pixels))
        return _json(json_bytes({"model": name, "version": version.number, **found}))

    def _chosen(self, call: HttpCall) -> tuple[LoadedVersion, str]:
        """The model of the query, or the first one. Raises RequestError where it does not take one image."""
        name = call.request.query_params.get("model") or next(iter(self._store.models), "")
        number = _number(call.request, "version", 0, 0, 10**18) or None
        version = self._version(call, name, number)
        if version.image_input is None:
            main = version.signatures["serving_default"]
            raise RequestError(INVALID_ARGUMENT, f"this path is for models that take one image; {main.expects()}")
        return version, name

    # ---- the server ----

    async def _page(self, call: HttpCall) -> Response:
        return Response(page(), headers={**HEADERS, **PAGE_HEADERS}, media_type="text/html")

    async def _health(self, call: HttpCall) -> Response:
        if self._batcher.seconds_busy > 2 * self._limits.seconds:
            raise busy("the model has been computing one batch for too long", UNAVAILABLE)
        return _json(json_bytes({"status": "ok"}))

    async def _readiness(self, call: HttpCall) -> Response:
        if self._stopping():
            raise busy("the server is stopping", UNAVAILABLE)
        if not self._store.ready:
            raise busy("a model has no version that is loaded", UNAVAILABLE)
        return await self._health(call)

    async def _metrics_text(self, call: HttpCall) -> Response:
        return Response(self._metrics.text(), headers={**HEADERS, "Content-Type": self._metrics.content_type})

    async def _models(self, call: HttpCall) -> Response:
        found = []
        for name, model in self._store.models.items():
            if model.loaded:
                found.append(
                    {"name": name, "versions": sorted(model.loaded), **model.loaded[max(model.loaded)].summary()}
                )
        return _json(json_bytes({"models": found}))


def _prepared(version: LoadedVersion, files: list[Upload]) -> tuple[dict[int, Any], dict[int, str]]:
    """The inputs of the files that are images, and why the others are none, by row."""
    inputs, errors = {}, {}
    for row, file in enumerate(files):
        try:
            inputs[row] = version.prepare([file.contents], [file.name])
        except RequestError as error:
            errors[row] = error.message.removeprefix(f"{file.name}: ")
    return inputs, errors


def _stacks(inputs: Mapping[int, Any]) -> list[Any]:
    """The inputs as few arrays, in their order: those that follow each other in one size share one."""
    found: list[list[Any]] = []
    for each in inputs.values():
        if found and found[-1][0].shape == each.shape:
            found[-1].append(each)
        else:
            found.append([each])
    return [np.concatenate(each) for each in found]


def _number(request: Request, name: str, default: int, low: int, high: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 18 or not low <= int(text) <= high:
        raise RequestError(
            INVALID_ARGUMENT, f"`{name}` must be a number from {low} to {high:,}, not `{printable(text)[:50]}`"
        )
    return int(text)


def _closing(error: RequestError) -> RequestError:
    error.headers["Connection"] = "close"
    return error


def _json(body: bytes) -> Response:
    return Response(body, headers=HEADERS, media_type=JSON)


def _error(error: RequestError) -> Response:
    return Response(rest_answer.error_body(error.message), error.status, {**HEADERS, **error.headers}, media_type=JSON)
