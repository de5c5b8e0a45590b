"""Images that each of several workers reads: its own share of every global batch, and no others.

    python benchmarks/worker_reading.py [--images 512] [--batch-size 64]

Generated photos, 500 x 375, JPEG quality 90; the augmentation of VGG for 224 x 224. For 1, 2 and 4 workers with one
device: the number of images that worker 0 decodes in an epoch, and its CPU time without the start, which traces
graphs. Target: with W workers at most 1.1 / W of the CPU time of one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from input_pipeline import PREPROCESS, photos

from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.batches import training_batches
from archspec.runtime.data.pipeline.epoch_plan import Share
from archspec.transforms import TRANSFORMS

MOST = 1.1
MANY = 9
AUGMENT = [
    TRANSFORMS["resize_smallest_side"].make({"size": [256, 512]}),
    TRANSFORMS["random_crop"].make({}),
    TRANSFORMS["random_flip"].make({}),
]


def epochs(images: Images, batch_size: int, workers: int, count: int) -> tuple[int, float]:
    """Images that worker 0 decodes in some epochs, and its CPU seconds."""
    given: dict[str, Any] = {"input_shape": (224, 224, 3), "augment": AUGMENT, "preprocess": PREPROCESS, "seed": 1}
    started = time.process_time()
    batches = training_batches(images, batch_size=batch_size, epochs=count, share=Share(0, 1, workers), **given)
    decoded = sum(len(x) for x, _, _ in batches)
    return decoded, time.process_time() - started


def main() -> int:
    parser = argparse.ArgumentParser(description="Reading on several workers.")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args()
    print(f"{'workers':>7} {'images decoded':>15} {'CPU ms for each of the epoch':>29}")
    met, alone = True, 0.0
    with tempfile.TemporaryDirectory() as folder:
        images = photos(Path(folder), options.images)
        epochs(images, options.batch_size, 1, 1)  # TensorFlow itself starts
        for workers in (1, 2, 4):
            (few, start), (many, end) = (epochs(images, options.batch_size, workers, count) for count in (1, MANY))
            each = 1000 * (end - start) / (MANY - 1) / options.images
            print(f"{workers:7} {(many - few) // (MANY - 1):15} {each:29.2f}")
            alone = alone or each
            met = met and each <= MOST * alone / workers
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
