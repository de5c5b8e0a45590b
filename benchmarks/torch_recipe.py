"""The PyTorch twin of benchmarks/recipe_peers.py, run as a process by an interpreter that has torch.

    python benchmarks/torch_recipe.py '{"data": "images.npz", "epochs": 30, "seed": 0, "batch_norm": [0.01, 0.001]}'

Trains a ResNet-20 (He et al. 2015, section 4.2) and prints top-1 on the training and validation images as JSON.
Written as a PyTorch user would write it; does not import archspec.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

MEAN, STD = torch.tensor([125.3, 123.0, 113.9]), torch.tensor([63.0, 62.1, 66.7])


class Block(nn.Module):
    """Two 3x3 convolutions; the shortcut skips pixels and pads channels on both sides (option A)."""

    def __init__(self, channels: int, filters: int, stride: int, norm: Any) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = norm(filters), norm(filters)
        self.stride, self.extra = stride, filters - channels

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.extra:
            half = self.extra // 2
            x = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.extra - half))
        return functional.relu(x + y)


def resnet20(classes: int, norm: Any) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), norm(16), nn.ReLU()]
    channels = 16
    for filters in (16, 32, 64):
        for unit in range(3):
            layers.append(Block(channels, filters, 2 if unit == 0 and filters > 16 else 1, norm))
            channels = filters
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
    nn.init.zeros_(model[-1].bias)  # type: ignore[arg-type]
    return model.to(memory_format=torch.channels_last)


def inputs(images: Any) -> Any:
    x = (torch.as_tensor(images).float() - MEAN) / STD
    return x.permute(0, 3, 1, 2)  # channels_last


def augmented(images: Any, rng: Any) -> Any:
    """Four black pixels around each image, a random crop of 32 pixels, and a random flip."""
    padded = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)))
    result = np.empty_like(images)
    for i, (top, left) in enumerate(rng.integers(0, 9, (len(images), 2))):
        crop = padded[i, top : top + 32, left : left + 32]
        result[i] = crop[:, ::-1] if rng.random() < 0.5 else crop
    return result


def top1(model: nn.Module, x: Any, y: Any) -> float:
    model.eval()
    with torch.no_grad():
        right = [model(inputs(x[i : i + 500])).argmax(1).numpy() == y[i : i + 500] for i in range(0, len(x), 500)]
    return float(np.concatenate(right).mean())


def main() -> None:
    given = json.loads(sys.argv[1])
    torch.manual_seed(given["seed"])
    rng = np.random.default_rng(given["seed"])
    with np.load(given["data"]) as file:
        x, y, x_val, y_val = (file[key] for key in ("x_train", "y_train", "x_val", "y_val"))
    momentum, epsilon = given["batch_norm"]
    model = resnet20(int(y.max()) + 1, lambda channels: nn.BatchNorm2d(channels, epsilon, momentum))
    kernels = [each for each in model.parameters() if each.ndim > 1]
    others = [each for each in model.parameters() if each.ndim == 1]
    groups = [{"params": kernels, "weight_decay": 1e-4}, {"params": others}]
    optimizer = torch.optim.SGD(groups, 0.1, momentum=0.9)
    steps = given["epochs"] * math.ceil(len(x) / 128)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / steps)) / 2)
    for _ in range(given["epochs"]):
        model.train()
        order = rng.permutation(len(x))
        for start in range(0, len(x), 128):
            rows = order[start : start + 128]
            optimizer.zero_grad()
            logits = model(inputs(augmented(x[rows], rng)))
            functional.cross_entropy(logits, torch.as_tensor(y[rows])).backward()
            optimizer.step()
            schedule.step()
    print(json.dumps({"train": top1(model, x, y), "validation": top1(model, x_val, y_val)}))


if __name__ == "__main__":
    main()
