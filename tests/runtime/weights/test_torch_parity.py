"""Real state dicts, where torch is installed (`pip install torch`): the outputs of tiny networks of torch are ours.

Whole networks of torchvision and timm: `python -m tests.zoo.torch_parity`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archspec

torch: Any = pytest.importorskip("torch", reason="compares with torch, an optional package")

CONVOLUTIONS = """
name: tiny
input: [11, 9, 4]
layers:
  - conv: {filters: 6, kernel_size: [3, 5], strides: 2, padding: [[1, 1], [2, 2]], use_bias: false}
  - bn: {epsilon: 1e-5}
  - prelu: [1, 2]
  - conv: {filters: 8, kernel_size: 3, padding: 1, groups: 2}
  - relu
  - depthwise_conv: {kernel_size: 3, padding: 1, depth_multiplier: 2}
  - group_norm: {groups: 4, epsilon: 1e-5}
  - maxpool: {pool_size: 3, strides: 2, padding: 1}
  - flatten
  - dense: 10
  - bn: {epsilon: 1e-5}
  - relu
  - dense: 3
"""
ENCODER = """
name: encoder
input: [5, 6]
layers:
  - residual: {body: [layer_norm: {epsilon: 1e-5}, attention: 2]}
  - residual: {body: [layer_norm: {epsilon: 1e-5}, dense: 12, gelu, dense: 6]}
"""


def convolutions() -> Any:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(4, 6, (3, 5), 2, (1, 2), bias=False),
        nn.BatchNorm2d(6),
        nn.PReLU(6),
        nn.Conv2d(6, 8, 3, 1, 1, groups=2),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, 1, 1, groups=8),
        nn.GroupNorm(4, 16),
        nn.MaxPool2d(3, 2, 1),
        nn.Flatten(),
        nn.Linear(16 * 3 * 3, 10),
        nn.BatchNorm1d(10),
        nn.ReLU(),
        nn.Linear(10, 3),
    )


def encoder() -> Any:
    class Encoder(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.norm1 = torch.nn.LayerNorm(6)
            self.attention = torch.nn.MultiheadAttention(6, 2, batch_first=True)
            self.norm2 = torch.nn.LayerNorm(6)
            self.mlp = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.GELU(), torch.nn.Linear(12, 6))

        def forward(self, x: Any) -> Any:
            y = self.norm1(x)
            x = x + self.attention(y, y, y, need_weights=False)[0]
            return x + self.mlp(self.norm2(x))

    return Encoder()


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before 1.6"])
@pytest.mark.parametrize(("make", "spec"), [(convolutions, CONVOLUTIONS), (encoder, ENCODER)])
def test_a_network_of_torch_gives_the_same_outputs(make: Any, spec: str, old: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = make().eval()
    for name, tensor in model.state_dict().items():
        if tensor.dtype == torch.float32 and tensor.ndim == 1:
            tensor.copy_(torch.rand(tensor.shape) + (0.5 if "var" in name else -0.25))
    torch.save(model.state_dict(), tmp_path / "x.pth", _use_new_zipfile_serialization=not old)
    (tmp_path / "page.yaml").write_text(spec)
    network = archspec.load(str(tmp_path / "page.yaml"))
    found = network.build(weights=tmp_path / "x.pth")
    x = np.random.default_rng(0).normal(size=(2, *network.graph().input_shape)).astype("float32")
    with torch.no_grad():
        turned = np.ascontiguousarray(np.moveaxis(x, -1, 1)) if x.ndim == 4 else x
        expected = model(torch.from_numpy(turned)).numpy()
    np.testing.assert_allclose(found(x), expected, atol=2e-6)
