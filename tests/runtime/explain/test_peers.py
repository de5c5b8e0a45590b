"""Explanations equal those of xplique and captum on the same weights, where these are installed.

XPLIQUE_PYTHON and TORCH_PYTHON name interpreters that have them: xplique with tf-keras, captum with torchvision.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archspec
from archspec.runtime.explain.backward_rules import DECONVNET, GUIDED
from archspec.runtime.explain.methods.gradcam import gradcam_maps
from archspec.runtime.explain.methods.gradcam_plus_plus import gradcam_plus_plus_maps
from archspec.runtime.explain.methods.hirescam import hirescam_maps
from archspec.runtime.explain.methods.integrated_gradients import StraightPath, integrate
from tests.runtime.explain.nets import Array, images, opened

HERE = Path(__file__).parent
SUBJECTS = {"resnet18": ("resnet-torchvision:18", 64, "layer3"), "squeezenet1_1": ("squeezenet:1.1", 63, "features")}
"""Model of torchvision -> our network, the side of its images, and the module whose output is explained.

After `layer3` gradients differ between positions, so that Grad-CAM and HiResCAM differ.
"""


def python_with(variable: str, *modules: str) -> str:
    """The interpreter that a variable names, or this one; skips the test where it lacks a module."""
    python = os.environ.get(variable, sys.executable)
    code = f"import importlib.util as u; assert all(u.find_spec(each) for each in {modules!r})"
    if subprocess.run([python, "-c", code], capture_output=True).returncode:
        pytest.skip(f"no interpreter with {' and '.join(modules)}: {variable} can name one")
    return python


def difference(one: Array, other: Array) -> float:
    """The largest difference, as a share of the largest value."""
    return float(np.abs(one - other).max() / np.abs(other).max())


def peer_net() -> Any:
    """Convolution, batch normalization, ReLU, 3/2 pooling, a residual with a depthwise convolution, ReLU6, logits."""
    keras.utils.set_random_seed(4)
    layers = keras.layers
    x = inputs = keras.Input((24, 24, 3))
    x = layers.Conv2D(8, 3, padding="same", name="conv1")(x)
    x = layers.ReLU(name="relu1")(layers.BatchNormalization(name="norm1")(x))
    x = layers.MaxPooling2D(3, 2, name="pool")(x)
    y = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    y = layers.ReLU(6.0, name="relu6")(layers.Conv2D(8, 1, name="conv2")(y))
    x = layers.ReLU(name="relu2")(layers.Add(name="add")([x, y]))
    x = layers.Dense(5, name="scores")(layers.GlobalAveragePooling2D(name="mean")(x))
    model = keras.Model(inputs, x)
    generator = np.random.default_rng(2)
    norm = model.get_layer("norm1")
    norm.set_weights([generator.uniform(0.5, 1.5, weight.shape) for weight in norm.get_weights()])
    return model


@pytest.mark.slow
def test_xplique_agrees(tmp_path: Path) -> None:
    python = python_with("XPLIQUE_PYTHON", "xplique", "tf_keras")
    model = peer_net()
    model.save(tmp_path / "net.keras")
    x, classes = images(3, (24, 24, 3)), np.array([0, 3, 4])
    np.savez(tmp_path / "given.npz", x=x, classes=classes)
    arguments = [str(tmp_path / name) for name in ("net.keras", "given.npz", "found.npz")]
    subprocess.run([python, str(HERE / "xplique_reference.py"), *arguments, "relu2"], check=True, capture_output=True)
    network = opened(model, tuple("abcde"))
    features, gradients = network.layer_gradients(x, network.place("relu2"), classes[:, None])
    maps = np.maximum(gradcam_maps(features, gradients)[0], 0)
    ours = {
        "saliency": np.abs(network.input_gradient(x, classes)[1]).max(axis=-1),
        "guided": network.input_gradient(x, classes, GUIDED)[1],
        "deconvnet": network.input_gradient(x, classes, DECONVNET)[1],
        "gradcam": keras.ops.image.resize(maps[..., None], (24, 24), interpolation="bicubic").numpy(),
    }
    with np.load(tmp_path / "found.npz") as found:
        differences = {name: difference(values, found[name].reshape(values.shape)) for name, values in ours.items()}
    print(differences)
    assert {name for name, each in differences.items() if each > (1e-5 if name == "gradcam" else 1e-6)} == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", SUBJECTS)
def test_captum_agrees(name: str, tmp_path: Path) -> None:
    python = python_with("TORCH_PYTHON", "captum", "torchvision")
    reference, side, layer = SUBJECTS[name]
    script = [python, str(HERE / "captum_reference.py"), name, str(side), layer, str(tmp_path)]
    subprocess.run(script, check=True, capture_output=True)
    model = archspec.build(reference, input=[side, side, 3])
    archspec.load_weights(model, tmp_path / "weights.pth")
    network = opened(model, tuple(map(str, range(1000))))
    with np.load(tmp_path / "found.npz") as arrays:
        found = dict(arrays)
    x, classes = found["x"], found["classes"]
    # the last layer of that shape: the ReLU of the block, or SqueezeNet's last concatenation
    place = [each for each in network.places if each.shape == tuple(found["shape"])][-1]
    features, gradients = network.layer_gradients(x, place, classes[:, None])

    def integrated(image: Array, number: int) -> Array:
        def logits(points: Array) -> Array:
            return network.predict(points)[0][:, number]

        def slopes(points: Array) -> Array:
            return network.input_gradient(points, np.full(len(points), number))[1]

        path = StraightPath(np.zeros_like(image), image, logits, slopes, 8)
        return integrate(path, steps=16, max_steps=16).values

    if name == "resnet18":
        # one of the points lies on a kink: images that differ by a factor of 1 + 2e-7 change it by 0.5 %
        del found["integrated"]
    ours = {
        "logits": network.predict(x)[0],
        "gradient": network.input_gradient(x, classes)[1],
        "gradcam": np.maximum(gradcam_maps(features, gradients)[0], 0),
        "cam-gradcam": np.maximum(gradcam_maps(features, gradients)[0], 0),
        "cam-gradcamplusplus": np.maximum(gradcam_plus_plus_maps(features, gradients)[0], 0),
        "cam-hirescam": np.maximum(hirescam_maps(features, gradients)[0], 0),
        "integrated": np.stack([integrated(*each) for each in zip(x, classes, strict=True)]),
        "guided": network.input_gradient(x, classes, GUIDED)[1],
        "deconvnet": network.input_gradient(x, classes, DECONVNET)[1],
    }
    differences = {key: difference(ours[key], values) for key, values in found.items() if key in ours}
    print(differences)
    assert {key for key, each in differences.items() if each > 1e-4} == set()
