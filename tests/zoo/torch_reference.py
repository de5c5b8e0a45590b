"""What a model of torchvision or timm makes of random images with random weights.

Run as a script, by an interpreter that has the library; nothing of archspec is needed. PyTorch and TensorFlow do not
always bear each other in one process.

    python torch_reference.py '{"library": "torchvision", "model": "alexnet", "side": 224, "arguments": {}}' FOLDER

FOLDER/weights.pth   the state dict
FOLDER/images.npy    (4, side, side, 3)
FOLDER/logits.npz    one array for each output, the main one first
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def reference(library: str, model: str, arguments: dict[str, Any]) -> Any:
    """The model with initial weights, which both libraries can make without downloading anything."""
    if library == "timm":
        import timm

        head_first = arguments.pop("head_first", None)  # of the rows of a joint projection: no argument of timm sets it
        network = timm.create_model(model, pretrained=False, **arguments)
        for module in network.modules() if head_first is not None else ():
            if hasattr(module, "head_first"):
                module.head_first = head_first
        return network
    from torchvision.models import get_model

    if model.startswith("cbam_"):
        return _with_cbam(get_model(model.removeprefix("cbam_"), weights=None, **arguments))
    return get_model(model, weights=None, **arguments)


def _with_cbam(resnet: Any) -> Any:
    """A ResNet of torchvision with the two gates of CBAM (Woo et al. 2018, equations 2 and 3) at the end of each body.

    As in the authors' code, the largest value comes before the average in front of the 7x7, and batch normalization
    after it.
    """
    import torch
    from torch import nn

    class Cbam(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self, channels: int) -> None:
            super().__init__()
            hidden = channels // 16
            self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
            self.spatial = nn.Sequential(nn.Conv2d(2, 1, 7, padding=3, bias=False), nn.BatchNorm2d(1))

        def forward(self, x: Any) -> Any:
            gate = self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))
            x = x * gate.sigmoid()[:, :, None, None]
            maps = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], dim=1)
            return x * self.spatial(maps).sigmoid()

    for stage in (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4):
        for block in stage:
            last = "bn3" if hasattr(block, "bn3") else "bn2"
            norm = getattr(block, last)
            setattr(block, last, nn.Sequential(norm, Cbam(norm.num_features)))
    return resnet


def randomize(torch: Any, model: Any, images: Any) -> None:
    """Random weights; moving statistics that are those of the images under these weights, so that no signal dies."""
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.normal_(0, 0.1)
        elif parameter.ndim < 2 or name.endswith("gain"):
            parameter.uniform_(0.5, 1.5)
        elif parameter.ndim == 3:  # a class token, a position embedding
            parameter.normal_(0, 0.5)
        else:
            torch.nn.init.kaiming_normal_(parameter)
    normalized = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    model.eval()
    for module in normalized:
        module.momentum = 1.0
        module.train()
    outputs(model, images)
    model.eval()
    for module in normalized:
        module.running_var += 0.05 * module.running_var.mean() + 1e-6  # a 1x1 map may have none


def outputs(model: Any, images: Any) -> list[Any]:
    """The logits: of the network, then of its auxiliary classifiers, the first one first."""
    model.training = getattr(model, "aux1", None) is not None  # else it leaves its auxiliary classifiers out
    given = model(images)
    main, *auxiliary = given if isinstance(given, tuple) else (given,)
    return [main, *reversed(auxiliary)]


def main(case: dict[str, Any], folder: Path) -> None:
    """Write the three files."""
    import numpy as np
    import torch

    torch.manual_seed(0)
    with torch.no_grad():
        images = torch.randn(4, 3, case["side"], case["side"])
        model = reference(case["library"], case["model"], case["arguments"])
        randomize(torch, model, images)
        torch.save(model.state_dict(), folder / "weights.pth")
        np.save(folder / "images.npy", images.permute(0, 2, 3, 1).numpy())
        # in double precision, so that only the rounding of ours counts
        np.savez(folder / "logits.npz", *(each.numpy() for each in outputs(model.double(), images.double())))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), Path(sys.argv[2]))
