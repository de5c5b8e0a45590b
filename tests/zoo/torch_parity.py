"""Compare our networks with those of torchvision and timm, and write the table in docs/zoo-torch.md.

python -m tests.zoo.torch_parity             compare all models (half an hour on two cores), write the table
python -m tests.zoo.torch_parity vgg16 ...   compare these only, and keep the measurements of the others

Each gets random weights, written as a state dict and read by `build --weights`; the logits of random images must agree.
The libraries may belong to another interpreter, named by TORCH_PYTHON; without them there is nothing to compare.
"""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archspec import api

PYTHON = os.environ.get("TORCH_PYTHON", sys.executable)
TOLERANCE = 1e-6
"""Largest difference between two logits that passes, as a share of the largest logit."""


@dataclass(frozen=True)
class Case:
    """A model of a library with its arguments, and our reference with its settings. `side` of a square input."""

    library: str
    model: str
    reference: str
    side: int
    arguments: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def row(self) -> str:
        """The cells of the table before the difference."""
        settings = "".join(f" --set {name}={str(value).lower()}" for name, value in self.settings.items())
        return f"| {self.library} | `{self.model}` | `{self.reference}{settings}` | {self.side} |"


SAYABLE = "tests/specs/sayable"
DOCUMENT = Path(__file__).parents[2] / "docs" / "zoo-torch.md"
HEAD = f"""<!-- written by `python -m tests.zoo.torch_parity`: do not edit -->
# Comparison with torchvision and timm

Each model gets random weights, and the moving statistics of random images. `archspec build --weights` loads its state
dict, and the logits of four images are compared in double precision, auxiliary classifiers included. The difference is
the largest difference, relative to the largest logit; up to {TOLERANCE:.0e} counts as equal, because TensorFlow
computes gelu with a constant in single precision. `size` is the side of the square images.

In a checkout, `TORCH_PYTHON=PYTHON python -m tests.zoo.torch_parity MODEL` measures one model again; without MODEL,
all of them. PYTHON is a Python with torch, torchvision and timm.

- `cbam_resnet18` and `cbam_resnet50` are ResNets of torchvision with the gates of the paper, in
  [tests/zoo/torch_reference.py](../tests/zoo/torch_reference.py). The CBAM of timm has another order of the two maps.
- `coatnet_0_224` has its strides where equation 5 of the paper has them, and the rows of its joint projections in the
  order query, key, value. timm orders them by head, which a state dict does not tell: timm's own weights do not fit.
- The specs in `{SAYABLE}` are not part of the zoo: tests prove that the language can say these networks.
- torchvision's `fcn_resnet50` is not the network of `fcn`: it has dilated convolutions, and no skip connections.
  Neither library has `unet`, `siamese` or `fractalnet`.

| library | model | network | size | difference |
|---|---|---|---:|---:|
"""

CASES = (
    Case("torchvision", "alexnet", "alexnet:torchvision", 224),
    Case("torchvision", "vgg11", "vgg:A", 224),
    Case("torchvision", "vgg13", "vgg:B", 224),
    Case("torchvision", "vgg16", "vgg:D", 224),
    Case("torchvision", "vgg19", "vgg:E", 224),
    Case("torchvision", "vgg11_bn", "vgg-bn:11", 224),
    Case("torchvision", "vgg13_bn", "vgg-bn:13", 224),
    Case("torchvision", "vgg16_bn", "vgg-bn:16", 224),
    Case("torchvision", "vgg19_bn", "vgg-bn:19", 224),
    Case("torchvision", "googlenet", "googlenet:torchvision", 96, {"init_weights": False}),
    Case(
        "torchvision",
        "googlenet",
        "googlenet:torchvision",
        97,
        {"init_weights": False, "aux_logits": False},
        {"auxiliary": False},
    ),
    Case("torchvision", "inception_v3", "inception-v3:torchvision", 99, {"init_weights": False}),
    Case("torchvision", "resnet18", "resnet-torchvision:18", 65),
    Case("torchvision", "resnet34", "resnet-torchvision:34", 65),
    Case("torchvision", "resnet50", "resnet-torchvision:50", 65),
    Case("torchvision", "resnet101", "resnet-torchvision:101", 65),
    Case("torchvision", "resnet152", "resnet-torchvision:152", 65),
    Case("torchvision", "wide_resnet50_2", "resnet-torchvision:wide-50-2", 65),
    Case("torchvision", "wide_resnet101_2", "resnet-torchvision:wide-101-2", 65),
    Case("torchvision", "resnext50_32x4d", "resnext:50-32x4d", 65),
    Case("torchvision", "resnext101_32x8d", "resnext:101-32x8d", 65),
    Case("torchvision", "resnext101_64x4d", "resnext:101-64x4d", 65),
    Case("torchvision", "densenet121", "densenet:121", 65),
    Case("torchvision", "densenet161", "densenet:161", 65),
    Case("torchvision", "densenet169", "densenet:169", 65),
    Case("torchvision", "densenet201", "densenet:201", 65),
    Case("torchvision", "squeezenet1_0", "squeezenet:1.0", 224),
    Case("torchvision", "squeezenet1_1", "squeezenet:1.1", 63),
    Case("torchvision", "mobilenet_v2", "mobilenet-v2:torchvision", 65),
    Case("torchvision", "mobilenet_v3_large", "mobilenet-v3:torchvision-large", 70),
    Case("torchvision", "mobilenet_v3_small", "mobilenet-v3:torchvision-small", 70),
    Case("torchvision", "shufflenet_v2_x0_5", "shufflenet-v2:x0.5", 65),
    Case("torchvision", "shufflenet_v2_x1_0", "shufflenet-v2:x1.0", 65),
    Case("torchvision", "shufflenet_v2_x1_5", "shufflenet-v2:x1.5", 65),
    Case("torchvision", "shufflenet_v2_x2_0", "shufflenet-v2:x2.0", 65),
    Case("torchvision", "mnasnet0_5", "mnasnet:B1-0.5", 65),
    Case("torchvision", "mnasnet0_75", "mnasnet:B1-0.75", 65),
    Case("torchvision", "mnasnet1_0", "mnasnet:B1-1.0", 65),
    Case("torchvision", "mnasnet1_3", "mnasnet:B1-1.3", 65),
    Case("torchvision", "regnet_x_400mf", "regnet:torchvision-X-400MF", 65),
    Case("torchvision", "regnet_x_800mf", "regnet:X-800MF", 65),
    Case("torchvision", "regnet_x_1_6gf", "regnet:X-1.6GF", 65),
    Case("torchvision", "regnet_x_3_2gf", "regnet:X-3.2GF", 65),
    Case("torchvision", "regnet_x_8gf", "regnet:X-8.0GF", 65),
    Case("torchvision", "regnet_x_16gf", "regnet:X-16GF", 65),
    Case("torchvision", "regnet_x_32gf", "regnet:X-32GF", 65),
    Case("torchvision", "regnet_y_400mf", "regnet:Y-400MF", 65),
    Case("torchvision", "regnet_y_800mf", "regnet:torchvision-Y-800MF", 65),
    Case("torchvision", "regnet_y_1_6gf", "regnet:Y-1.6GF", 65),
    Case("torchvision", "regnet_y_3_2gf", "regnet:Y-3.2GF", 65),
    Case("torchvision", "regnet_y_8gf", "regnet:torchvision-Y-8.0GF", 65),
    Case("torchvision", "regnet_y_16gf", "regnet:Y-16GF", 65),
    Case("torchvision", "regnet_y_32gf", "regnet:Y-32GF", 65),
    Case("torchvision", "efficientnet_b0", "efficientnet:torchvision-b0", 65),
    Case("torchvision", "efficientnet_b1", "efficientnet:torchvision-b1", 66),
    Case("torchvision", "efficientnet_b2", "efficientnet:torchvision-b2", 65),
    Case("torchvision", "efficientnet_b3", "efficientnet:torchvision-b3", 66),
    Case("torchvision", "efficientnet_b4", "efficientnet:torchvision-b4", 65),
    Case("torchvision", "efficientnet_b5", "efficientnet:torchvision-b5", 66),
    Case("torchvision", "efficientnet_b6", "efficientnet:torchvision-b6", 65),
    Case("torchvision", "efficientnet_b7", "efficientnet:torchvision-b7", 66),
    Case("torchvision", "efficientnet_v2_s", "efficientnet-v2:torchvision-s", 65),
    Case("torchvision", "efficientnet_v2_m", "efficientnet-v2:torchvision-m", 65),
    Case("torchvision", "efficientnet_v2_l", "efficientnet-v2:torchvision-l", 65),
    Case("torchvision", "convnext_tiny", "convnext:tiny", 64),
    Case("torchvision", "vit_b_16", "vit:B-16", 64, {"image_size": 64}, {"size": 64}),
    Case("torchvision", "vit_b_32", "vit:B-32", 64, {"image_size": 64}, {"size": 64}),
    Case("torchvision", "vit_l_16", "vit:L-16", 64, {"image_size": 64}, {"size": 64}),
    Case("torchvision", "vit_l_32", "vit:L-32", 64, {"image_size": 64}, {"size": 64}),
    Case("torchvision", "cbam_resnet18", "cbam-resnet:18", 65),
    Case("torchvision", "cbam_resnet50", "cbam-resnet:50", 65),
    Case("torchvision", "swin_t", f"{SAYABLE}/swin.yaml:T", 224),
    Case("timm", "inception_v4", "inception-v4", 99),
    Case("timm", "regnetx_002", "regnet:X-200MF", 65),
    Case("timm", "regnety_002", "regnet:Y-200MF", 65),
    Case("timm", "convnext_tiny", "convnext:tiny", 64),
    Case("timm", "convnextv2_atto", "convnext-v2:atto", 64),
    Case("timm", "convnextv2_femto", "convnext-v2:femto", 64),
    Case("timm", "convnextv2_tiny", "convnext-v2:tiny", 64),
    Case("timm", "mixer_s32_224", "mlp-mixer:S-32", 224),
    Case("timm", "res2net50_26w_4s", "res2net:50", 65),
    Case("timm", "res2next50", "res2net:next-50", 65),
    Case("timm", "ghostnet_050", "ghostnet:x0.5", 65),
    Case("timm", "ghostnet_100", "ghostnet:x1.0", 65),
    Case("timm", "legacy_seresnet50", "se-resnet:50", 65),
    Case("timm", "swin_tiny_patch4_window7_224", f"{SAYABLE}/swin.yaml:T", 224),
    Case("timm", "dpn68", f"{SAYABLE}/dpn.yaml:68", 65),
    Case("timm", "dpn92", f"{SAYABLE}/dpn.yaml:92", 65),
    Case(
        "timm",
        "coatnet_0_224",
        f"{SAYABLE}/coatnet.yaml:0",
        224,
        {"head_first": False, "conv_stride_mode": "1x1"},
    ),
    Case("timm", "hrnet_w18", f"{SAYABLE}/hrnet.yaml", 64),
    Case("timm", "resnetv2_50x1_bit", f"{SAYABLE}/bit.yaml:R50x1", 96, settings={"epsilon": 1e-8}),
    Case("timm", "dm_nfnet_f0", f"{SAYABLE}/nfnet.yaml:F0", 96),
    Case("timm", "mobileone_s0", f"{SAYABLE}/mobileone.yaml:S0", 65),
    Case("timm", "mobileone_s1", f"{SAYABLE}/mobileone.yaml:S1", 65),
    Case("timm", "semnasnet_100", "mnasnet:A1", 65, settings={"epsilon": 1e-5}),
    Case("timm", "convmixer_1536_20", "conv-mixer:1536-20", 42),
    Case("timm", "convmixer_768_32", "conv-mixer:768-32", 42),
    Case("timm", "convmixer_1024_20_ks9_p14", "conv-mixer:1024-20", 56),
)
CHEAP = ("googlenet", "squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5", "regnet_y_400mf", "vit_b_32")
"""Enough for every day: each kind of layer and of padding."""
SLOW = ("efficientnet_b0", "efficientnet_v2_s", "cbam_resnet18", "swin_t", "convnextv2_atto", "mobileone_s0", "dpn68")
"""One of each kind of network that has more: of batch normalization, gates, windows, branches."""


def has(library: str) -> bool:
    """Whether the interpreter has torch and that library."""
    code = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ['torch', '{library}'])))"
    return subprocess.run([PYTHON, "-c", code]).returncode == 0


def compare(case: Case) -> tuple[float, float]:
    """The largest difference between the logits of the two, and that between the logits of two images.

    Both as shares of the largest logit; where the second is small, the logits hardly depend on the image. Both sides
    compute in double precision: the rounding of float32 alone can reach 1e-3 behind dozens of random layers.
    """
    import keras
    import numpy as np

    keras.backend.clear_session()
    gc.collect()  # the model before, in double precision
    precision = keras.config.floatx()
    keras.config.set_floatx("float64")
    with tempfile.TemporaryDirectory() as folder:
        asked = {"library": case.library, "model": case.model, "side": case.side, "arguments": case.arguments}
        script = Path(__file__).with_name("torch_reference.py")
        subprocess.run([PYTHON, script, json.dumps(asked), folder], check=True)
        images = np.load(f"{folder}/images.npy")
        with np.load(f"{folder}/logits.npz") as logits:
            expected = list(logits.values())
        settings = dict(case.settings) if "size" in case.settings else {**case.settings, "input": images.shape[1:]}
        network = api.load(case.reference, **settings)
        try:
            actual = _logits(network, network.build(weights=f"{folder}/weights.pth"), _as_pixels(network, images))
        finally:
            keras.config.set_floatx(precision)
    difference = sensitivity = 0.0
    for ours, theirs in zip(actual, expected, strict=True):
        assert np.isfinite(theirs).all()
        scale = np.abs(theirs).max()
        difference = max(difference, float(np.abs(ours - theirs).max() / scale))
        sensitivity = max(sensitivity, float(np.abs(theirs[1:] - theirs[:-1]).max() / scale))
    return difference, sensitivity


def _as_pixels(network: api.Network, images: Any) -> Any:
    """Images that the first layer of the spec, if it normalizes pixels, maps to the given ones."""
    import numpy as np

    first = network.graph().layers[0].op
    return images * np.sqrt(first.variance) + first.mean if first.name == "normalize" else images


def _logits(network: api.Network, model: Any, images: Any) -> list[Any]:
    """The logits: the inputs of the softmax layers at the end."""
    import keras
    import numpy as np

    graph = network.graph()
    layers = [model.get_layer(graph.nodes[index].keras_name) for index in graph.outputs]
    outputs = keras.Model(model.input, [layer.input for layer in layers])(images, training=False)
    return [np.asarray(each) for each in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


def kept() -> dict[str, str]:
    """What the document says was measured: model and network -> difference."""
    text = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    return dict(re.findall(r"^(\| .* \|) ([0-9.e-]+) \|$", text, re.MULTILINE))


def write(measured: Mapping[str, str]) -> None:
    """Write the table."""
    rows = [f"{case.row} {measured.get(case.row, 'not measured')} |" for case in CASES]
    DOCUMENT.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")


def main(names: list[str]) -> int:
    """Compare them all, or those named, and write the table. Returns 1 when a network differs from its model."""
    measured, unequal = kept(), []
    for case in CASES:
        if not names or case.model in names:
            difference, sensitivity = compare(case)
            measured[case.row] = f"{difference:.1e}"
            print(f"{case.row} {difference:.1e} | sensitivity {sensitivity:.2f}", flush=True)
            unequal += [case.model] if difference > TOLERANCE else []
            write(measured)
    write(measured)
    if unequal:
        print(f"not equal: {', '.join(unequal)}", file=sys.stderr)
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
