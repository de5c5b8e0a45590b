"""The peers of benchmarks/input_pipeline.py that need torch, run as a process by an interpreter that has it.

    python benchmarks/torch_pipeline.py < requests

Reads a line of JSON with files, labels, batch, mean and workers, and prints the versions and the names of its
pipelines. Then, for each line {"name": ..., "epochs": ...}, makes that many passes and prints the images, the seconds
and the CPU seconds, including the loader's workers. Does not import archspec.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader

try:  # here, so that the workers have it from the start
    import torchvision
    from torchvision.io import decode_jpeg, read_file
    from torchvision.transforms.v2 import functional
except ImportError:
    torchvision = None  # type: ignore[assignment]

SIDE = 224
DEVIATIONS = np.float32([55.46, 4.794, 1.148])  # of ImageNet's colors along their components, grey levels
COMPONENTS = np.float32([[-0.5675, -0.5808, -0.5836], [0.7192, -0.0045, -0.6948], [0.4009, -0.814, 0.4203]])
Read = Callable[[str, np.random.Generator], np.ndarray]


class Photos:
    """Some passes over the files, each with `read`, then a random flip, PCA color, and the mean subtracted."""

    def __init__(self, given: dict[str, Any], read: Read, epochs: int) -> None:
        self.files, self.labels, self.mean = given["files"], given["labels"], np.float32(given["mean"])
        self.read, self.epochs = read, epochs

    def __len__(self) -> int:
        return self.epochs * len(self.files)

    def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
        rng = np.random.default_rng(number)
        i = number % len(self.files)
        pixels = self.read(self.files[i], rng)
        if rng.random() < 0.5:
            pixels = pixels[:, ::-1]
        noise = (rng.normal(0, 0.1, 3).astype(np.float32) * DEVIATIONS) @ COMPONENTS
        return pixels.astype(np.float32) + (noise - self.mean), self.labels[i]


def opened(file: str) -> Image.Image:
    with Image.open(file) as image:
        return image.convert("RGB")


def jitter(file: str, rng: np.random.Generator) -> np.ndarray:
    """VGG's: the shortest side from [256, 512], antialiased bilinear, and a crop."""
    image = opened(file)
    scale = int(rng.integers(256, 513)) / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BILINEAR)
    left, top = (int(rng.integers(side - SIDE + 1)) for side in image.size)
    return np.asarray(image.crop((left, top, left + SIDE, top + SIDE)))


def resized_crop(file: str, rng: np.random.Generator) -> np.ndarray:
    """8 to 100 % of the area, ratios 3/4 to 4/3, antialiased bilinear."""
    image = opened(file)
    left, top, width, height = window(image.size, rng)
    box = (left, top, left + width, top + height)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box))


def tensor_jitter(file: str, rng: np.random.Generator) -> np.ndarray:
    """The same with torchvision's decoder and resize."""
    image = functional.resize(decode_jpeg(read_file(file)), [int(rng.integers(256, 513))], antialias=True)
    top, left = (int(rng.integers(side - SIDE + 1)) for side in image.shape[1:])
    return image[:, top : top + SIDE, left : left + SIDE].permute(1, 2, 0).numpy()


def tensor_resized_crop(file: str, rng: np.random.Generator) -> np.ndarray:
    """The same with torchvision's decoder and resize."""
    image = decode_jpeg(read_file(file))
    left, top, width, height = window((image.shape[2], image.shape[1]), rng)
    return (
        functional.resized_crop(image, top, left, height, width, [SIDE, SIDE], antialias=True).permute(1, 2, 0).numpy()
    )


def window(sides: tuple[int, int], rng: np.random.Generator) -> tuple[int, int, int, int]:
    """left, top, width, height of a random part of an image, pixels."""
    area = rng.uniform(0.08, 1) * sides[0] * sides[1]
    ratio = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
    width, height = (
        min(side, round(math.sqrt(part))) for side, part in zip(sides, (area * ratio, area / ratio), strict=True)
    )
    return int(rng.integers(sides[0] - width + 1)), int(rng.integers(sides[1] - height + 1)), width, height


PIPELINES: dict[str, Read] = {
    "VGG jitter, Pillow in torch's DataLoader": jitter,
    "random resized crop, Pillow in DataLoader": resized_crop,
}
if torchvision:
    PIPELINES["VGG jitter, torchvision in DataLoader"] = tensor_jitter
    PIPELINES["random resized crop, torchvision in DataLoader"] = tensor_resized_crop


def cpu_seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def versions() -> str:
    found = [f"torch {torch.__version__}", f"Pillow {Image.__version__}"]
    if torchvision:
        found.insert(1, f"torchvision {torchvision.__version__}")
    return ", ".join(found)


def main() -> None:
    given = json.loads(sys.stdin.readline())
    torch.set_num_threads(1)
    print(json.dumps({"versions": versions(), "names": list(PIPELINES)}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        started, cpu_started, count = time.perf_counter(), cpu_seconds(), 0
        dataset = Photos(given, PIPELINES[asked["name"]], asked["epochs"])
        loader = DataLoader(dataset, given["batch"], num_workers=given["workers"])  # type: ignore[arg-type, var-annotated]
        iterator = iter(loader)
        for _, labels in iterator:
            count += len(labels)
        del iterator  # the workers end, and their time counts
        taken = {"images": count, "seconds": time.perf_counter() - started, "cpu": cpu_seconds() - cpu_started}
        print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    main()
