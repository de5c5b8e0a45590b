"""Load an export in a process of its own, run it on prepared images, and measure it. Imports nothing of archspec.

    python -P measure.py REQUEST.json

The request names the runner, the folders to load, the inputs (.npz) and where the outputs go. The result is one line of
JSON on standard output.
"""

from __future__ import annotations

import itertools
import json
import runpy
import sys
import time
from collections.abc import Callable
from typing import Any

LEAST_ROUNDS, MOST_ROUNDS, SECONDS = 7, 60, 3.0
"""Rounds of a measurement: as many as fit into SECONDS, within these bounds."""


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Run the functions of the first folder on all inputs, measure them, and compare their speed with the second."""
    import numpy as np

    load = runpy.run_path(request["runner"])["load"]
    with np.load(request["inputs"], allow_pickle=False) as arrays:
        inputs = {name: _images(arrays, name) for name in request["functions"]}
    started = time.perf_counter()
    loaded = [load(request["folders"][0], request["threads"])]
    load_seconds = time.perf_counter() - started
    loaded += [load(folder, request["threads"]) for folder in request["folders"][1:]]
    outputs: dict[str, Any] = {}
    for name, images in inputs.items():
        for key, value in _run(loaded[0][name], images, request["batch"]).items():
            if value.dtype == object:  # strings of TensorFlow
                value = np.array([each.decode() for each in value.ravel()]).reshape(value.shape)
            outputs[f"{name}/{key}"] = value
    np.savez(request["outputs"], **outputs)
    times: dict[str, Any] = {}
    for batch in request["batches"]:
        images = inputs["serving_default"]
        rows = np.resize(np.arange(len(images)), batch)
        times[str(batch)] = interleaved([loaded[0]["serving_default"]], images[rows])[0]
    if len(loaded) > 1:  # on one thread: threads of one runtime that wait for work would slow down the other
        if "tensorflow" not in sys.modules:
            loaded = [load(folder, 1) for folder in request["folders"]]
        times["compared"] = interleaved([each["serving_default"] for each in loaded], inputs["serving_default"][:1])
    return {"load_seconds": load_seconds, "times": times, "archspec": "archspec" in sys.modules}


def interleaved(functions: list[Callable[[Any], Any]], images: Any) -> list[dict[str, Any]]:
    """Seconds of one call of each function, wall and CPU, over rounds in which each is called once."""
    import numpy as np

    rounds: list[list[tuple[float, float]]] = []
    for function in functions:
        function(images)  # tracing, allocation
    end = time.perf_counter() + SECONDS * len(functions)
    while len(rounds) < LEAST_ROUNDS or (len(rounds) < MOST_ROUNDS and time.perf_counter() < end):
        row = []
        for function in functions:
            wall, cpu = time.perf_counter(), time.process_time()
            function(images)
            row.append((time.perf_counter() - wall, time.process_time() - cpu))
        rounds.append(row)
    measured = np.array(rounds)  # (rounds, functions, 2)
    return [
        {
            "median": float(np.median(measured[:, number, 0])),
            "p95": float(np.percentile(measured[:, number, 0], 95)),
            "cpu": float(np.median(measured[:, number, 1])),
            "fastest": float(measured[:, number, 0].min()),
            "fastest_cpu": float(measured[:, number, 1].min()),
            "rounds": len(rounds),
        }
        for number in range(len(functions))
    ]


def _images(arrays: Any, name: str) -> Any:
    """The inputs of a function: an array (N, ...), of several inputs (N,) with fields, or N encoded images as bytes."""
    import numpy as np

    if name in arrays:
        return arrays[name]
    ends = np.cumsum(arrays[f"{name}.lengths"])
    contents = arrays[f"{name}.bytes"].tobytes()
    return np.array(
        [contents[end - size : end] for size, end in zip(arrays[f"{name}.lengths"], ends, strict=True)], "O"
    )


def _run(function: Callable[[Any], dict[str, Any]], images: Any, batch: int) -> dict[str, Any]:
    """The outputs for all images: the first image by itself, the others in batches."""
    import numpy as np

    starts = [0, *range(1, len(images), batch), len(images)]
    parts = [function(images[first:last]) for first, last in itertools.pairwise(starts) if last > first]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps(main(json.load(file))), flush=True)
