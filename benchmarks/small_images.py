"""Prediction and evaluation of 10,000 small images by a small network, against decoding them.

    python benchmarks/small_images.py [--images 10000]

The images are JPEGs of 32 pixels. Decoding is what `predict` does to each file: read it, check its header, decode it.
The network is one convolution with global pooling, so the rest is what archspec adds. CPU time, the median of three
interleaved rounds. The first evaluation of a folder also checks each file, as `many_files.py` measures it.

Target: `predict`, and `evaluate` of a folder that was checked before, take at most twice the CPU time of decoding. The
exit status is 1 if not.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from inference import write_images

import archspec
from archspec.runtime.data.files.conversions import Conversions
from archspec.runtime.data.files.encoded_image import EncodedImage
from archspec.runtime.image_inputs import decoded
from archspec.runtime.system.processor import name
from archspec.runtime.system.tensorflow_import import import_tensorflow

SPEC = """\
name: small
input: [32, 32, 3]
layers:
- conv: {filters: 8, kernel_size: 3, strides: 2}
- relu
- global_avgpool
- dense: 2
- softmax
"""
MOST = 2.0
FIRST = "evaluate"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    number = parser.parse_args().images
    tf = import_tensorflow()
    times: dict[str, list[float]] = {"decoding": [], "predict": [], FIRST: [], "evaluate again": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        spec, model = folder / "small.yaml", folder / "small.keras"
        spec.write_text(SPEC, encoding="utf-8")
        archspec.load(spec).save(model)
        for round in range(3):
            images = folder / str(round)
            write_images(images, number, 32)
            files = sorted(map(str, images.glob("*/*.jpg")))

            def decode(files: list[str] = files) -> None:
                seen = Conversions(3)
                for file in files:
                    decoded(tf, EncodedImage(file), seen)

            calls: dict[str, Callable[[], object]] = {
                "decoding": decode,
                "predict": lambda files=files: archspec.predict(model, files),  # type: ignore[misc]
                FIRST: lambda images=images: archspec.evaluate(model, str(images)),  # type: ignore[misc]
                "evaluate again": lambda images=images: archspec.evaluate(model, str(images)),  # type: ignore[misc]
            }
            for what, call in calls.items():
                started = time.process_time()
                call()
                times[what].append(time.process_time() - started)
    print(f"{number:,} JPEGs of 32 pixels, {name()}")
    decoding = times["decoding"]
    missed = False
    for what, seconds in times.items():
        ratio = statistics.median(each / peer for each, peer in zip(seconds, decoding, strict=True))
        print(f"{what:14} {statistics.median(seconds):6.2f} s of CPU, {ratio:5.2f} of decoding")
        missed |= ratio > MOST and what != FIRST
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
