"""Random weights for comparisons: the statistics of batch normalization included, for defaults would hide a mix-up."""

import math
from typing import Any

import numpy as np


def randomize(model: Any, seed: int = 0) -> Any:
    """Set all weights of a model, and return it. Kernels keep the scale of what passes: deep nets stay finite."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        name, shape = weight.path.rpartition("/")[2], weight.shape
        if name == "count":
            continue
        if "variance" in name or name == "gamma":
            value = random.uniform(0.5, 1.5, shape)
        elif len(shape) > 1 and name != "alpha":
            depthwise = name == "depthwise_kernel" or "depthwise_conv" in weight.path
            fan_in = math.prod(shape[:-2] if depthwise else shape[:-1])
            value = random.normal(0, 1 / math.sqrt(fan_in), shape)
        else:
            value = random.normal(0, 0.2, shape)
        weight.assign(value.astype("float32"))
    return model
