"""How many units saturate, and how the gradient shrinks from layer to layer, for three activation functions.

A unit is saturated where the derivative of its activation is below a twentieth of its maximum: |z| > 4.36 for the
sigmoid, |z| > 2.18 for tanh. A ReLU has the derivative 0 at negative inputs: it is off, not saturated.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.labs.arms import read_history

if TYPE_CHECKING:
    from archspec.runtime.labs.context import LabContext
    from archspec.runtime.labs.lab import Lab
    from archspec.runtime.labs.result import LabResult

Array = npt.NDArray[np.float32]
SHARE = 0.05
"""Of the largest derivative; below it a unit counts as saturated."""
BINS = 50
DECADES = (-12.0, 0.0)
"""Powers of ten of the histograms of gradients."""
PROBE = 300
"""Images whose activations and gradients are measured."""


def derivative(activation: str, outputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The derivative of an activation function as a share of its maximum, from its outputs."""
    found: npt.NDArray[Any] = (outputs > 0).astype(np.float64)
    if activation != "relu":
        found = 4 * outputs * (1 - outputs) if activation == "sigmoid" else 1 - outputs**2
    return found


def limits(activation: str) -> tuple[float, float]:
    """The range of the histograms of the outputs."""
    return {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}.get(activation, (0.0, 5.0))


def layers_inside(tf: Any, model: Any, x: Array, y: npt.NDArray[np.int32]) -> tuple[list[Array], list[Array]]:
    """Of each convolution the outputs of its activation, and the gradients of an image's loss by its inputs z."""
    import keras

    with tf.GradientTape() as tape:
        value = tf.constant(x)
        before: list[Any] = []
        outputs: list[Any] = []
        for layer in model.layers[1:]:
            value = layer(value)
            if layer.name.endswith("conv"):
                tape.watch(value)
                before.append(value)
            elif before and len(outputs) < len(before) and layer.name.startswith("layer"):
                outputs.append(value)
        losses = keras.ops.sparse_categorical_crossentropy(y, value)
        loss = tf.reduce_sum(losses)  # a sum: the gradient of each image is that of its own loss
    return [each.numpy() for each in outputs], [each.numpy() for each in tape.gradient(loss, before)]


def inspect(model: Any, activation: str, x: Array, y: npt.NDArray[np.int32]) -> dict[str, Array]:
    """Of each layer: histograms (layers, BINS) of what is not 0, the saturated share and the root mean square gradient.

    The histograms are shares of the values that are not 0; the outputs are cut to the range, small gradients left out.
    """
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    outputs, gradients = layers_inside(import_tensorflow(), model, x, y)
    low, high = limits(activation)
    on = [each[each != 0] for each in outputs]  # of ReLU, those that are not off
    values = [np.histogram(np.clip(each, low, high), BINS, (low, high))[0] / max(each.size, 1) for each in on]
    powers = [np.log10(np.abs(each[each != 0])) for each in gradients]
    counts = [np.histogram(each, BINS, DECADES)[0] / max(each.size, 1) for each in powers]
    return {
        "values": np.array(values, np.float32),
        "gradients": np.array(counts, np.float32),
        "saturated": np.array([np.mean(derivative(activation, each) < SHARE) for each in outputs], np.float32),
        "rms": np.array([np.sqrt(np.mean(np.square(each, dtype=np.float64))) for each in gradients], np.float32),
    }


def grey(images: npt.NDArray[Any]) -> Array:
    """The first channel, 0 to 1: (N, H, W, C) -> (N, H, W, 1)."""
    found: Array = images[..., :1].astype(np.float32) / np.float32(255)
    return found


def shrinking(curves: Mapping[str, Array]) -> float:
    """The gradient of the first layer over that of the last one: the geometric mean over seeds and epochs."""
    ratio = curves["rms"][..., 0] / np.maximum(curves["rms"][..., -1], 1e-30)
    return float(np.exp(np.mean(np.log(np.maximum(ratio, 1e-30)))))


def run(lab: Lab, context: LabContext) -> LabResult:
    """Train each activation with each seed, and compare gradients and saturated units."""
    from archspec.runtime.labs.result import LabResult

    options = context.options
    network = context.networks["saturation"]
    x, labels = (each[:PROBE] for each in context.arrays("validation"))
    settings: dict[str, Any] = {name: options[name] for name in ("depth", "filters")}
    settings["train.optimizer.sgd.learning_rate"] = options["learning_rate"]
    curves: dict[str, dict[str, Array]] = {}
    for activation in options["activations"]:
        found = []
        for seed in context.seeds:
            context.note(f"{activation}, seed {seed}")
            looks = context.train_and_look(
                network,
                name=activation,
                seed=seed,
                epochs=int(options["epochs"]),
                look=partial(inspect, activation=activation, x=grey(x), y=labels),
                activation=activation,
                **settings,
            )
            series = {name: np.stack([each[name] for each in looks]) for name in looks[0]}
            history = read_history(context.run_directory(activation, seed))
            found.append({**series, "accuracy": np.array(history["val_top1"], np.float32)})
        curves[activation] = {name: np.stack([each[name] for each in found]) for name in found[0]}
    shrunk = {activation: shrinking(each) for activation, each in curves.items()}
    saturated = {activation: 100 * float(each["saturated"][:, -1, -1].mean()) for activation, each in curves.items()}
    rows = tuple(
        (
            NAMES.get(activation, activation),
            shrunk[activation],
            saturated[activation],
            100 * float(each["saturated"][:, -1].mean()),
            100 * float(each["accuracy"][:, -1].mean()),
        )
        for activation, each in curves.items()
    )
    vanishes = 10 * shrunk["sigmoid"] <= shrunk["relu"]
    saturates = min(saturated["sigmoid"], saturated["tanh"]) >= 100 * SHARE
    pictures = (
        draw(context.out / "saturation.png", lab.claim, curves),
        draw_histograms(context.out / "saturation-epochs.png", curves, "epoch"),
        draw_histograms(context.out / "saturation-layers.png", curves, "layer"),
    )
    return LabResult(
        columns=(
            "activation",
            "gradient of the first layer / last layer",
            "last layer: units with a derivative below 5 % of the maximum (%)",
            "the same in all layers (%)",
            "test accuracy (%)",
        ),
        rows=rows,
        verdict="reproduced" if vanishes and saturates else "not seen at this scale",
        reason=(
            f"from the last to the first of {options['depth']} layers the gradient changes by a factor of "
            f"{shrunk['sigmoid']:.1g} with sigmoid, {shrunk['tanh']:.1g} with tanh, {shrunk['relu']:.1g} with ReLU; "
            f"{saturated['sigmoid']:.0f} % of the sigmoid and {saturated['tanh']:.0f} % of the tanh units of the last "
            "layer are saturated"
        ),
        figures=pictures,
    )


NAMES = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU"}


def draw(path: Path, title: str, curves: Mapping[str, Mapping[str, Array]]) -> Path:
    """The gradient by layer, and the share of saturated units by epoch."""
    from archspec.runtime.labs.figure_style import COLORS, figure, label_ends

    with figure(path, title, columns=2) as ((left, right),):
        starts, ends = {}, {}
        for color, (activation, each) in zip(COLORS, curves.items(), strict=False):
            name = NAMES.get(activation, activation)
            rms = np.exp(np.log(np.maximum(each["rms"], 1e-30)).mean(axis=(0, 1)))
            layers = np.arange(1, len(rms) + 1)
            left.plot(layers, rms, "o-", color=color)
            starts[name] = (layers[-1], rms[-1], color)
            share = 100 * each["saturated"][..., -1].mean(axis=0)
            right.plot(share, "o-", color=color)
            ends[f"{name}: off" if activation == "relu" else name] = (len(share) - 1, share[-1], color)
        left.set(yscale="log", xlabel="layer, 1 is the first", ylabel="gradient of its units (root mean square)")
        left.set_xticks(layers)
        right.set_xticks(range(0, len(share), max(1, len(share) // 5)))
        left.set_title("The gradient comes from the right", loc="left", fontsize=16)
        right.set(xlabel="epoch", ylabel="units with hardly a derivative (%)", ylim=(0, 100))
        right.set_title("Saturated units of the last layer", loc="left", fontsize=16)
        label_ends(left, starts)
        label_ends(right, ends)
    return path


def draw_histograms(path: Path, curves: Mapping[str, Mapping[str, Array]], of: str) -> Path:
    """Histograms of the outputs and of the gradients, of all seeds.

    Args:
        of: "epoch": the outputs of the last layer and the gradients of the first one, by epoch; "layer": both after the
            last epoch, by layer.
    """
    from archspec.runtime.labs.figure_style import figure

    title = {
        "epoch": "Outputs of the last layer and gradients of the first, epoch by epoch (dark: most values)",
        "layer": "Outputs and gradients of each layer after the last epoch (dark: most values)",
    }[of]
    with figure(path, title, rows=2, columns=len(curves)) as panels:
        for column, (activation, each) in enumerate(curves.items()):
            for row, (name, layer, extent, label) in enumerate(
                (
                    ("values", -1, limits(activation), "output of a unit"),
                    ("gradients", 0, DECADES, "gradient, power of ten"),
                )
            ):
                axes, mean = panels[row, column], each[name].mean(axis=0)  # (epochs, layers, bins)
                counts, first = (mean[:, layer], 0) if of == "epoch" else (mean[-1], 1)
                shown = counts / np.maximum(counts.max(axis=1, keepdims=True), 1e-9)  # each row by its highest bar
                ends = (first - 0.5, first + len(shown) - 0.5)
                axes.imshow(shown, aspect="auto", origin="lower", cmap="Blues", extent=(*extent, *ends))
                axes.grid(False)
                axes.set_xlabel(label)
                axes.set_ylabel(of if column == 0 else "")
            panels[0, column].set_title(NAMES.get(activation, activation), fontweight="bold", fontsize=16)
    return path
