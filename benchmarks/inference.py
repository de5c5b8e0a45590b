"""Images per second of inference: `model.predict`, the bare forward pass, `evaluate` and `predict` of archspec.

    python benchmarks/inference.py [--reference resnet-torchvision:50] [--batch-size 32] [--quick]

`model.predict` runs with oneDNN off, as TensorFlow comes on a processor with AVX2 only, and with oneDNN on; the forward
pass is a compiled function of the same network, as it is and with folded batch normalization, which is what `evaluate`
and `predict` run. Each setting is a process, and they work one after the other in each round; the ratios are medians
over the rounds. Then `archspec.predict` and `archspec.evaluate` read a folder of JPEGs of the input's size.

Target: folded, at least 1.3 times `model.predict` with oneDNN off, by CPU time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from train_peers import Peer

import archspec
from archspec.runtime.system.processor import ONEDNN, name
from archspec.runtime.system.tensorflow_import import import_tensorflow

LEAST = 1.3


def passes(reference: str, batch: int, folder: str) -> dict[str, tuple[Callable[[], Any], int]]:
    """What is measured, and the number of images of each."""
    tf = import_tensorflow()
    import numpy as np

    from archspec.runtime.models.fold_batch_norm import fold_batch_norm

    model = archspec.build(reference)
    x = np.random.default_rng(0).normal(size=(batch, *model.input_shape[1:])).astype("float32")
    given = tf.constant(x)
    signature = [tf.TensorSpec((None, *model.input_shape[1:]))]

    def compiled(network: Any) -> Callable[[], Any]:
        function = tf.function(lambda x: network(x, training=False), autograph=False, input_signature=signature)
        return lambda: function(given).numpy()

    path = Path(folder) / f"{os.getpid()}.keras"
    model.save(path)
    images = sorted((Path(folder) / "images").glob("*/*"))
    return {
        "model.predict": (lambda: model.predict(x, batch_size=batch, verbose=0), batch),
        "forward": (compiled(model), batch),
        "folded": (compiled(fold_batch_norm(model)), batch),
        "archspec predict": (lambda: archspec.predict(path, images), len(images)),
        "archspec evaluate": (lambda: archspec.evaluate(path, str(Path(folder) / "images")), len(images)),
    }


def worker() -> None:
    measured: dict[str, tuple[Callable[[], Any], int]] = {}
    for line in sys.stdin:
        given = json.loads(line)
        if "reference" in given:
            measured = passes(given["reference"], given["batch"], given["folder"])
            answer: dict[str, Any] = {}
        else:
            call, images = measured[given["pass"]]
            if given["warm"]:
                call()
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            answer = {"wall": (time.perf_counter() - wall) / images, "cpu": (time.process_time() - cpu) / images}
        print(json.dumps(answer), flush=True)


def write_images(folder: Path, number: int, side: int) -> None:
    """Noise as JPEGs in two classes."""
    tf = import_tensorflow()
    for label in ("one", "two"):
        (folder / label).mkdir(parents=True)
        for i in range(number // 2):
            small = tf.random.uniform((side // 8, side // 8, 3), 0, 255)
            pixels = tf.cast(tf.image.resize(small, (side, side)), tf.uint8)
            (folder / label / f"{i}.jpg").write_bytes(tf.io.encode_jpeg(pixels).numpy())


def main() -> int:
    parser = argparse.ArgumentParser(description="Inference.")
    parser.add_argument("--reference", default="resnet-torchvision:50")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=128, help="in the folder for predict and evaluate")
    parser.add_argument("--quick", action="store_true", help="three rounds, without the folder")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker()
        return 0
    rounds = 3 if options.quick else options.rounds
    side = archspec.load(options.reference).graph().input_shape[0] or 224
    times: dict[tuple[str, str], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder) / "images", 2 if options.quick else options.images, side)
        peers = {
            setting: Peer([sys.executable, __file__, "--worker"], **{ONEDNN: value})
            for setting, value in (("off", "0"), ("on", "1"))
        }
        for peer in peers.values():
            peer.ask({"reference": options.reference, "batch": options.batch_size, "folder": folder})
        plan = [("off", "model.predict"), ("on", "model.predict"), ("on", "forward"), ("on", "folded")]
        for number in range(rounds):
            for setting, which in plan if number % 2 else plan[::-1]:
                answer = peers[setting].ask({"pass": which, "warm": number == 0})
                times.setdefault((setting, which), []).append(answer)
        for which in () if options.quick else ("archspec predict", "archspec evaluate"):
            times["on", which] = [peers["on"].ask({"pass": which, "warm": False})]
        for peer in peers.values():
            peer.close()
    print(f"{options.reference}, batch {options.batch_size}, {name()}, load {os.getloadavg()[0]:.1f}")
    print(f"{'':34} {'images/s':>9} {'CPU ms':>8}   beside model.predict with oneDNN off: wall, CPU")
    first = times["off", "model.predict"]
    for (setting, which), found in times.items():
        wall, cpu = (statistics.median(each[key] for each in found) for key in ("wall", "cpu"))
        ratios = [statistics.median(a[key] for a in first) / b for key, b in (("wall", wall), ("cpu", cpu))]
        print(
            f"{which + ', oneDNN ' + setting:34} {1 / wall:9.1f} {1000 * cpu:8.1f} {ratios[0]:12.2f} {ratios[1]:7.2f}"
        )
    ratio = statistics.median(a["cpu"] / b["cpu"] for a, b in zip(first, times["on", "folded"], strict=True))
    print(f"folded: {ratio:.2f} times model.predict with oneDNN off (at least {LEAST})")
    return 0 if ratio >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
