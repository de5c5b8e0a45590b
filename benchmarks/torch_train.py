"""The PyTorch peer of benchmarks/train_peers.py, run as a process by an interpreter that has torch.

    python benchmarks/torch_train.py < requests

For a line {"network": ..., "input": ..., "batch": ..., "classes": ...} it builds the network in channels_last, and for
a line {"steps": N} it trains that many steps and prints the seconds and CPU seconds. Does not import archspec.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional


class Network(nn.Module):
    """The graph of `peer_network.network_json`: the same layers in the same order, with the modules of PyTorch."""

    def __init__(self, network: dict[str, Any]) -> None:
        super().__init__()
        self.nodes, self.outputs = network["nodes"], network["outputs"]
        self.steps = nn.ModuleList([module(node) for node in self.nodes])

    def forward(self, x: Any) -> list[Any]:
        values = [x]
        for node, step in zip(self.nodes, self.steps, strict=True):
            values.append(step(*(values[i] for i in node["inputs"])))
        return [values[i] for i in self.outputs]


class Function(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


class StochasticDepth(nn.Module):
    def __init__(self, rate: float) -> None:
        super().__init__()
        self.keep = 1 - rate

    def forward(self, x: Any) -> Any:
        mask = torch.empty((len(x), 1, 1, 1)).bernoulli_(self.keep)
        return x * (mask / self.keep)


def module(node: dict[str, Any]) -> nn.Module:
    """One layer. `pads` are the pixels before and after the height and the width."""
    name, given, channels = node["op"], node["args"], node["channels"]
    if name in ("conv", "depthwise_conv"):
        depthwise = name == "depthwise_conv"
        filters = channels * given["depth_multiplier"] if depthwise else given["filters"]
        groups = channels if depthwise else given["groups"]
        options = {"stride": given["strides"], "dilation": given["dilation_rate"], "groups": groups}
        pads, padding = padded(node["pads"], 0.0)
        conv = nn.Conv2d(channels, filters, given["kernel_size"], padding=padding, bias=given["use_bias"], **options)
        return nn.Sequential(pads, conv) if pads else conv
    if name == "maxpool":
        pads, padding = padded(node["pads"], float("-inf"))
        pool = nn.MaxPool2d(given["pool_size"], given["strides"], padding)
        return nn.Sequential(pads, pool) if pads else pool
    if name == "bn":
        return nn.BatchNorm2d(channels, eps=given["epsilon"], momentum=1 - given["momentum"])
    if name == "lrn":
        size = 2 * given["depth_radius"] + 1
        return nn.LocalResponseNorm(size, given["alpha"] * size, given["beta"], given["bias"])
    if name == "normalize":
        mean, variance = (torch.tensor(given[key]).reshape(1, -1, 1, 1) for key in ("mean", "variance"))
        return Function(lambda x: (x - mean) / variance.sqrt())
    simple: dict[str, Any] = {
        "relu": lambda: nn.ReLU(inplace=True),
        "relu6": lambda: nn.ReLU6(inplace=True),
        "silu": lambda: nn.SiLU(inplace=True),
        "sigmoid": nn.Sigmoid,
        "flatten": nn.Flatten,
        "dense": lambda: nn.Linear(channels, given["units"]),
        "dropout": lambda: nn.Dropout(given["rate"]),
        "stochastic_depth": lambda: StochasticDepth(given["rate"]),
        "avgpool": lambda: nn.AvgPool2d(given["pool_size"], given["strides"]),
        "global_avgpool": lambda: Function(lambda x: x.mean((2, 3), keepdim=given["keepdims"])),
        "pad_channels": lambda: Function(lambda x: functional.pad(x, (0, 0, 0, 0, *node["extra"]))),
        "add": lambda: Function(lambda a, b: a + b),
        "multiply": lambda: Function(lambda a, b: a * b if b.ndim == 4 else a * b[:, :, None, None]),
        "concat": lambda: Function(lambda *parts: torch.cat(parts, 1)),
        "reshape": lambda: nn.Identity(),
    }
    built: nn.Module = simple[name]()
    return built


def padded(pads: list[list[int]], value: float) -> tuple[nn.Module | None, tuple[int, int]]:
    """A padding layer if the two sides differ, and the padding of the layer itself."""
    (top, bottom), (left, right) = pads
    if (top, left) == (bottom, right):
        return None, (top, left)
    return nn.ConstantPad2d((left, right, top, bottom), value), (0, 0)


def train(given: dict[str, Any]) -> Any:
    """A function that trains some steps, on `device` (default: the CPU) under autocast to `dtype`, maybe compiled."""
    torch.manual_seed(0)
    device, dtype = given.get("device", "cpu"), given.get("dtype")
    if device == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    model = Network(given["network"]).to(device=device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    height, width, channels = given["input"]
    x = torch.randn(given["batch"], channels, height, width, device=device).to(memory_format=torch.channels_last)
    y = torch.randint(given["classes"], (given["batch"],), device=device)
    weights = given["network"]["loss_weights"]
    forward = torch.compile(model) if given.get("compile") else model
    precision = torch.autocast(device, getattr(torch, dtype or "bfloat16"), enabled=dtype is not None)

    def steps(number: int) -> None:
        for _ in range(number):
            optimizer.zero_grad()
            with precision:
                losses = [functional.cross_entropy(logits, y) for logits in forward(x)]
                total = sum(weight * loss for weight, loss in zip(weights, losses, strict=True))
            total.backward()  # type: ignore[union-attr]
            optimizer.step()
            if device == "cpu":
                total.item()  # type: ignore[union-attr]
        if device == "cuda":
            torch.cuda.synchronize()

    return steps, sum(each.numel() for each in model.parameters())


def main() -> None:
    steps: Any = None
    for line in sys.stdin:
        given = json.loads(line)
        if "network" in given:
            steps = None  # free the memory of the last network
            steps, params = train(given)
            steps(1)
            answer = {"trainable": params, "version": f"torch {torch.__version__}", "threads": torch.get_num_threads()}
        else:
            wall, cpu = time.perf_counter(), time.process_time()
            steps(given["steps"])
            answer = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
