"""Exports of resnet:50 against `model.predict` and `tf.function`: CPU milliseconds an image, at batch 1, on one thread.

    python benchmarks/export.py [--network resnet:50] [--side 224] [--rounds 8] [--keep FOLDER]

The network has random weights and moving statistics. Every export is written once, by `archspec export --no-verify`,
and the time of each is printed. Two processes, with oneDNN on and off, then load all of them, with one thread for each
library, and call one after the other in interleaved rounds; a row is the median of the CPU time of the process. Ratios
are more reliable than milliseconds on a shared machine.

`Keras model.export()` is the SavedModel that Keras writes of the same network. The GFLOP/s of a float32 row are two for
each multiply-accumulate of the network. Two float32 matrix products of 2048 x 2048, of TensorFlow and of NumPy
(OpenBLAS), are called in the same rounds: the faster one is what float32 arithmetic can reach on this processor.

Targets, with oneDNN on: the optimized SavedModel takes at most 0.95 of the plain one and 0.7 of `predict`; ONNX and
LiteRT at most 0.75 of the plain SavedModel; int8 ONNX at most 0.65 of float ONNX. The exit status is 1 if not.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import archspec
from archspec.runtime.system.processor import ONEDNN, name, processor

PREDICT, FUNCTION, KERAS = "model.predict", "tf.function(model)", "Keras model.export()"
PLAIN, OPTIMIZED = "SavedModel", "SavedModel, optimized"
ONNX, LITERT, ONNX_8, LITERT_8 = "ONNX", "LiteRT", "ONNX int8", "LiteRT int8"
EXPORTS: dict[str, dict[str, Any]] = {
    PLAIN: {"format": "savedmodel"},
    OPTIMIZED: {"format": "savedmodel", "optimize": True},
    ONNX: {"format": "onnx"},
    LITERT: {"format": "litert"},
    ONNX_8: {"format": "onnx", "precision": "int8"},
    LITERT_8: {"format": "litert", "precision": "int8"},
}
PRODUCTS = ("product, TensorFlow", "product, OpenBLAS")
PRODUCT_SIDE = 2048
INT8 = (ONNX_8, LITERT_8)
LEAST = 0.75
"""Of the plain SavedModel: the target of ONNX and LiteRT."""
TARGETS = (
    (OPTIMIZED, PLAIN, 0.95),
    (OPTIMIZED, PREDICT, 0.70),
    (ONNX, PLAIN, LEAST),
    (LITERT, PLAIN, LEAST),
    (ONNX_8, ONNX, 0.65),
)


# ---- the exports -----------------------------------------------------------------------------------------------------


def write_model(reference: str, side: int, folder: Path) -> Path:
    """A model file with random weights, and a data source for the calibration."""
    import numpy as np

    from archspec.runtime.export.check_images import smooth_image
    from archspec.runtime.models.classifier import logits_of
    from archspec.runtime.models.model_file import load_model, save_model

    path, generator = folder / "model.keras", np.random.default_rng(0)
    archspec.load(reference, input=[side, side, 3]).save(path)
    model, metadata = load_model(path)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([generator.uniform(0.5, 1.5, each.shape) for each in layer.get_weights()])
    last = next(layer for layer in reversed(model.layers) if layer.weights)
    scores = np.asarray(logits_of(model)(generator.normal(size=(2, side, side, 3)).astype("float32")))
    last.set_weights([each / scores.std() for each in last.get_weights()])  # else one probability is 1
    save_model(model, path, metadata)
    images = np.stack([smooth_image(generator, side, side, 3) for _ in range(100)])
    np.savez(folder / "images.npz", x=images, y=np.arange(100) % 10)
    return path


def write_exports(path: Path, folder: Path) -> dict[str, str]:
    """Version folder of each export; prints the seconds that it took."""
    found = {}
    for title, options in EXPORTS.items():
        started, cpu = time.perf_counter(), os.times()
        calibration = str(folder / "images.npz") if options.get("precision") == "int8" else None
        done = archspec.export(path, folder / title, verify=False, calibration=calibration, **options)
        spent = sum(os.times()[:4]) - sum(cpu[:4])
        seconds = f"{time.perf_counter() - started:.1f} s ({spent:.1f} s of CPU)"
        print(f"{title:22} {done.bytes / 1e6:7.1f} MB, exported in {seconds}", flush=True)
        found[title] = str(done.path)
    return found


def write_keras_export(path: Path, folder: Path) -> str:
    """The SavedModel that Keras itself writes."""
    import keras

    keras.saving.load_model(path, compile=False).export(folder, format="tf_saved_model", verbose=False)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{KERAS:22} {size / 1e6:7.1f} MB", flush=True)
    return str(folder)


# ---- measuring, in a process with one thread -------------------------------------------------------------------------


def measure(given: dict[str, Any]) -> dict[str, list[float]]:
    """CPU seconds of each row in each round, and the largest difference of the probabilities from `model.predict`."""
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from importlib import import_module

    from archspec.runtime.data.pipeline.preprocess import preprocess_values
    from archspec.runtime.export.export_format import EXPORT_FORMATS
    from archspec.runtime.models.model_file import load_model

    if processor()["onednn"] not in (None, os.environ[ONEDNN] == "1"):
        raise RuntimeError("TensorFlow has not followed the environment variable of oneDNN")
    model, metadata = load_model(given["model"])
    shape = tuple(model.input_shape[1:])
    pixels = np.random.default_rng(1).uniform(0, 255, (1, *shape)).astype(np.float32)
    x = preprocess_values(tf, pixels, shape, metadata.preprocess).numpy()
    compiled = tf.function(lambda images: model(images, training=False))
    rows: dict[str, Callable[[], Any]] = {
        PREDICT: lambda: model.predict(x, verbose=0),
        FUNCTION: lambda: compiled(tf.constant(x)).numpy(),
    }
    saved = tf.saved_model.load(given["keras_export"])
    rows[KERAS] = lambda: saved.serve(tf.constant(x)).numpy()
    for title, folder in given["exports"].items():
        writer = EXPORT_FORMATS[EXPORTS[title]["format"]]
        run = import_module(f"archspec.runtime.export.runners.{writer.runner.stem}").load(folder, 1)["serving_default"]
        images = pixels if writer.takes_pixels else x
        rows[title] = partial(probabilities, run, images)
    expected = rows[PREDICT]()
    for title, call in rows.items():
        print(f"  {title:22} differs by {np.abs(call() - expected).max():.1e}", file=sys.stderr)
    factors = np.random.default_rng(2).normal(size=(2, PRODUCT_SIDE, PRODUCT_SIDE)).astype(np.float32)
    left, right = tf.constant(factors[0]), tf.constant(factors[1])
    rows.update(zip(PRODUCTS, (lambda: tf.matmul(left, right).numpy(), lambda: factors[0] @ factors[1]), strict=True))
    found: dict[str, list[float]] = {title: [] for title in rows}
    for _ in range(given["rounds"]):
        for title, call in rows.items():
            started = time.process_time()
            for _ in range(2):
                call()
            found[title].append((time.process_time() - started) / 2)
    return found


def probabilities(run: Callable[[Any], dict[str, Any]], images: Any) -> Any:
    return run(images)["probabilities"]


def in_process(given: dict[str, Any], onednn: str) -> dict[str, float]:
    """Median CPU milliseconds of each row."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {**os.environ, ONEDNN: onednn, **one, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, "--measure", json.dumps(given)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    rows: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return {title: 1000 * statistics.median(seconds) for title, seconds in rows.items()}


def print_table(title: str, rows: dict[str, float], macs: int) -> None:
    """Milliseconds of each row, their ratios, and of float32 rows the share of the arithmetic that is possible."""
    speeds = {row: 2 * macs / rows[row] / 1e6 for row in rows if row not in (*INT8, *PRODUCTS)}
    speeds |= {row: 2 * PRODUCT_SIDE**3 / rows[row] / 1e6 for row in PRODUCTS}
    most = max(speeds[row] for row in PRODUCTS)
    print(f"\n{title:22} {'CPU ms':>8} {'of plain':>9} {'of Keras':>9} {'GFLOP/s':>8} {'of product':>11}")
    for row, milliseconds in rows.items():
        ratios = "".join(f" {milliseconds / rows[each]:9.2f}" for each in (PLAIN, KERAS))
        line = f"{row:22} {milliseconds:8.1f}{' ' * 20 if row in PRODUCTS else ratios}"
        print(f"{line} {speeds[row]:8.1f} {speeds[row] / most:11.2f}" if row in speeds else line)
    needed = speeds[PLAIN] / LEAST
    print(
        f"{LEAST:g} of the SavedModel needs {needed:.1f} GFLOP/s in float32: {needed / most:.2f} of the faster product"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="resnet:50")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--keep", type=Path, help="a new folder for the exports, instead of a temporary one")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(json.loads(given.measure))))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        print(f"{given.network} at {given.side} pixels, batch 1, one thread, {name()}")
        path = write_model(given.network, given.side, folder)
        request = {"model": str(path), "exports": write_exports(path, folder), "rounds": given.rounds}
        request["keras_export"] = write_keras_export(path, folder / "keras-export")
        on, off = in_process(request, "1"), in_process(request, "0")
    macs = archspec.load(given.network, input=[given.side, given.side, 3]).graph().macs
    assert macs is not None  # the size of the images is known
    print_table("oneDNN on", on, macs)
    print_table("oneDNN off", off, macs)
    missed = False
    print()
    for title, peer, most in TARGETS:
        ratio = on[title] / on[peer]
        missed |= ratio > most
        print(f"{title} / {peer}: {ratio:.2f}, target at most {most:g}{'' if ratio <= most else ': MISSED'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
