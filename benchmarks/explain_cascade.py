"""The cascading randomization of Adebayo et al. 2018 (section 3.1): explanations as the layers lose their weights.

    python benchmarks/explain_cascade.py MODEL DATA [-o cascade.png] [--images 20]

Layer by layer from the logits down, the weights are permuted. For each method the maps of the images are compared with
those of the trained network: Spearman's rank correlation of their absolute values, averaged over the images. Integrated
gradients are divided by x - x', which is the same for both networks.

Claim: with all layers randomized, the gradient, integrated gradients and Grad-CAM correlate below 0.5, and guided
backpropagation and the deconvnet more than the gradient. The exit status is 1 if that does not hold.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from archspec.runtime.data.files.conversions import Conversions
from archspec.runtime.data.sources.dataset import open_data
from archspec.runtime.explain.backward_rules import DECONVNET, GUIDED
from archspec.runtime.explain.baseline import uniform_input
from archspec.runtime.explain.explainer import open_network
from archspec.runtime.explain.image_batches import ImageBatches
from archspec.runtime.explain.methods.gradcam import gradcam_maps
from archspec.runtime.explain.methods.integrated_gradients import StraightPath, integrate
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.runtime.image_inputs import images_of

STEPS = 16
"""Of integrated gradients."""


def _logits(network: OpenNetwork, number: int, points: Any) -> Any:
    return network.predict(points)[0][:, number]


def _gradients(network: OpenNetwork, number: int, points: Any) -> Any:
    return network.input_gradient(points, np.full(len(points), number))[1]


def maps(network: OpenNetwork, x: Any, classes: Any) -> dict[str, Any]:
    """The signed maps of each method, (N, ...)."""
    features, gradients = network.layer_gradients(x, network.last_spatial, classes[:, None])
    start = uniform_input(network, 127.5, x.shape[1:])
    direction = np.where(np.abs(x - start) > 1e-3, x - start, 1.0)
    integrated = []
    for image, number in zip(x, classes, strict=True):
        logits = partial(_logits, network, number)
        path = StraightPath(start, image - start, logits, partial(_gradients, network, number), STEPS)
        integrated.append(integrate(path, steps=STEPS, max_steps=STEPS).values)
    return {
        "gradient": network.input_gradient(x, classes)[1],
        "integrated gradients / (x - x')": np.stack(integrated) / direction,
        "Grad-CAM": gradcam_maps(features, gradients)[0],
        "guided backpropagation": network.input_gradient(x, classes, GUIDED)[1],
        "deconvnet": network.input_gradient(x, classes, DECONVNET)[1],
    }


def rank_correlation(one: Any, other: Any) -> float:
    """Of the absolute values, averaged over the images."""
    found = []
    for pair in zip(one, other, strict=True):
        first, second = (np.abs(each).ravel() for each in pair)
        if first.std() and second.std():
            found.append(np.corrcoef(np.argsort(np.argsort(first)), np.argsort(np.argsort(second)))[0, 1])
    return float(np.mean(found)) if found else 0.0


def cascade(
    network: OpenNetwork, x: Any, classes: Any, *, absolute: bool = True
) -> tuple[list[str], dict[str, list[float]]]:
    """The randomized layers, the last one first, and the correlations of each method after each of them."""
    generator = np.random.default_rng(0)
    trained = maps(network, x, classes)
    layers = [call for call in reversed(network.calls) if getattr(call.operation, "kernel", None) is not None]
    found: dict[str, list[float]] = {name: [1.0] for name in trained}
    for call in layers:
        weights = call.operation.get_weights()
        call.operation.set_weights([generator.permutation(each.ravel()).reshape(each.shape) for each in weights])
        for name, values in maps(network, x, classes).items():
            found[name].append(rank_correlation(trained[name], values))
    return [call.path for call in layers], found


def draw(path: Path, layers: list[str], found: dict[str, list[float]]) -> None:
    """Correlation against the number of randomized layers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), dpi=110, layout="constrained")
    axes = figure.subplots()
    styles = ("o-", "s-", "^-", "o--", "s--")
    colors = ("#0072B2", "#56B4E9", "#009E73", "#D55E00", "#E69F00")  # Okabe & Ito 2008
    for (name, values), style, color in zip(found.items(), styles, colors, strict=True):
        axes.plot(values, style, color=color, label=name, markersize=4)
    axes.axhline(0, color="0.7", linewidth=0.8)
    axes.set(xlabel="randomized layers, from the logits down", ylabel="rank correlation of |map|", ylim=(-0.2, 1.03))
    axes.set_xticks(range(0, len(layers) + 1, max(1, len(layers) // 10)))
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--images", type=int, default=20)
    given = parser.parse_args()
    network = open_network(given.model, None, print)
    import tensorflow as tf

    images = open_data(given.data, "validation", channels=network.input_shape[-1] or 3, report=print)
    rows = np.linspace(0, len(images) - 1, given.images).astype(int)
    (batch,) = ImageBatches(network, list(images_of(tf, images.only(rows), given.data, Conversions(3))), given.images)
    classes = network.predict(batch.x)[1].argmax(axis=1)
    layers, found = cascade(network, batch.x, classes)
    print(f"rank correlation of |map| with the trained network, {given.images} images")
    print("layers".rjust(6), *(name.rjust(len(name)) for name in found), sep="  ")
    for number in range(len(layers) + 1):
        cells = (f"{values[number]:.2f}".rjust(len(name)) for name, values in found.items())
        print(str(number).rjust(6), *cells, sep="  ")
    if given.out:
        draw(given.out, layers, found)
        print(f"wrote {given.out}")
    last = {name: values[-1] for name, values in found.items()}
    names = list(last)
    holds = all(abs(last[name]) < 0.5 for name in names[:3]) and min(last[name] for name in names[3:]) > last[names[0]]
    print("holds" if holds else "does not hold")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
