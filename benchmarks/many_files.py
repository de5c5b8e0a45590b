"""CPU time and memory for a data set of many small files: the first check, the next check, and an epoch.

python benchmarks/many_files.py --files 100000
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 100
SPEC = """\
name: tiny
input: [16, 16, 3]
preprocess: [scale]
layers: [{conv: {filters: 2, kernel_size: 3}}, global_avgpool, dense: 100, softmax]
train:
  augment: [pad: 2, random_crop, random_flip]
"""


def write_files(folder: Path, count: int) -> None:
    """JPEGs of alternating sizes, 16 x 16 and 16 x 17 pixels, so that they are not kept decoded in memory."""
    random = np.random.default_rng(0)
    for number in range(count):
        place = folder / f"class-{number % CLASSES:03}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (16, 16 + number % 2, 3), np.uint8)
        Image.fromarray(pixels).save(place / f"{number:07}.jpg", quality=80)


def measured(*arguments: str, cache: Path) -> str:
    """CPU and wall-clock seconds and peak memory of an archspec command."""
    command = [str(Path(sys.executable).with_name("archspec")), *arguments]
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "ARCHSPEC_CACHE": str(cache)},
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"`{' '.join(command)}` ended with {os.waitstatus_to_exitcode(status)}")
    cpu, clock = usage.ru_utime + usage.ru_stime, time.monotonic() - started
    return f"{cpu:6.1f} s of CPU, {clock:6.1f} s by the clock, {usage.ru_maxrss / 2**20:4.2f} GiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    count = parser.parse_args().files
    with tempfile.TemporaryDirectory() as root:
        folder, spec, cache = Path(root, "images"), Path(root, "tiny.yaml"), Path(root, "cache")
        write_files(folder, count)
        spec.write_text(SPEC)
        run = ("--validation-split", "0.1", "--set", "train.epochs=1", "-o", str(Path(root, "run")))
        print(f"{count:,} files")
        print("first check ", measured("data", "check", str(folder), cache=cache))
        print("next check  ", measured("data", "check", str(folder), cache=cache))
        print("one epoch   ", measured("train", str(spec), "--data", str(folder), *run, cache=cache))


if __name__ == "__main__":
    main()
