"""What the layers of a trained network respond to: top patches, deconvnet, purity and invariance by layer."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from archspec.runtime.explain.open_network import OpenNetwork
    from archspec.runtime.labs.context import LabContext
    from archspec.runtime.labs.lab import Lab
    from archspec.runtime.labs.result import LabResult

Array = npt.NDArray[np.float32]
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")
POOLED = "global_avgpool"
CHANNELS = 2
"""Drawn of each layer."""


def purity(strongest: Array, labels: npt.NDArray[np.int32], best: int) -> npt.NDArray[np.float64]:
    """Of each channel, the share of the most frequent class among its `best` strongest images; nan if never active.

    Args:
        strongest: the largest activation of each image and channel (N, C).
        labels: (N,).
    """
    order = np.argsort(-strongest, axis=0, kind="stable")[:best]
    counts = np.stack([np.bincount(labels[rows], minlength=labels.max() + 1) for rows in order.T])
    found: npt.NDArray[np.float64] = counts.max(axis=1) / len(order)
    return np.where(strongest.max(axis=0) > 0, found, np.nan)


def chance_purity(labels: npt.NDArray[np.int32], best: int) -> float:
    """The mean purity of images that are drawn at random."""
    random = np.random.default_rng(0)
    return float(np.mean(purity(random.random((len(labels), 500)).astype(np.float32), labels, best)))


def changes(steps: int, side: int) -> dict[str, tuple[str, Array, list[dict[str, float]]]]:
    """Transformation -> the label of its axis, its values, and the arguments of `moved`."""
    shifts = np.linspace(0, side // 4, steps, dtype=np.float32)
    scales, turns = np.linspace(1, 1.8, steps, dtype=np.float32), np.linspace(0, 90, steps, dtype=np.float32)
    return {
        "translation": ("shift (pixels)", shifts, [{"shift": float(each)} for each in shifts]),
        "scale": ("magnification", scales, [{"scale": float(each)} for each in scales]),
        "rotation": ("rotation (degrees)", turns, [{"degrees": float(each)} for each in turns]),
    }


def inputs(network: OpenNetwork, pixels: npt.NDArray[Any]) -> Array:
    """Pixels (N, H, W, C) as the network takes them."""
    from archspec.runtime.data.pipeline.preprocess import preprocess_values
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf = import_tensorflow()
    values = tf.constant(pixels.astype(np.float32))
    prepared: Array = preprocess_values(tf, values, network.input_shape, network.metadata.preprocess).numpy()
    return prepared


def strongest_of(network: OpenNetwork, x: npt.NDArray[Any], layer: str) -> Array:
    """The largest activation of each channel in each image, (N, C)."""
    place = network.place(layer)
    parts = [network.activations(inputs(network, x[start : start + 100]), place) for start in range(0, len(x), 100)]
    return np.concatenate([part.max(axis=(1, 2)) for part in parts])


def distances(network: OpenNetwork, x: npt.NDArray[Any], steps: int) -> dict[str, Array]:
    """`TRANSFORMATION`: the mean change of the features, as a share of their norm (layers and pooled, steps)."""
    from archspec.runtime.explain.methods.invariance import moved

    places = [network.place(layer) for layer in (*LAYERS, POOLED)]
    found = {}
    for change, (_, _, settings) in changes(steps, x.shape[1]).items():
        total = np.zeros((len(places), steps))
        for image in x:
            views = inputs(network, np.stack([moved(image, **each) for each in settings]))
            for row, place in enumerate(places):
                features = network.activations(views, place).reshape(steps, -1)
                total[row] += np.linalg.norm(features - features[0], axis=1) / (np.linalg.norm(features[0]) or 1.0)
        found[change] = (total / len(x)).astype(np.float32)
    return found


def top_patches(run: Path, data: str) -> dict[str, Any]:
    """`LAYER-CHANNEL-patches` and `-projections`: tiles (n, h, w, C) of the most varied channels of each layer."""
    from archspec.runtime.explain.explainer import explain, find_method

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # each call of `explain` compiles anew: no mistake
    found: dict[str, Any] = {}
    for layer in LAYERS:
        method = find_method("top-patches", {"layer": layer, "count": CHANNELS})
        arrays = explain(run / "last.keras", (), method=method, data=data).findings.arrays
        for kind in ("patches", "projections"):
            of_kind = [tiles for name, tiles in arrays.items() if name.startswith(kind)]
            found |= {f"{layer}-{number}-{kind}": tiles for number, tiles in enumerate(of_kind)}
    return found


def run(lab: Lab, context: LabContext) -> LabResult:
    """Train with each seed, measure purity and invariance, and draw the patches of the first seed."""
    from archspec.runtime.explain.explainer import open_network
    from archspec.runtime.labs.bootstrap import combined
    from archspec.runtime.labs.result import LabResult, judged

    options = context.options
    best, steps = int(options["best"]), int(options["steps"])
    x, labels = context.arrays("validation")
    classes = int(context.arrays("train")[1].max()) + 1
    network = context.networks["five-layers"]

    def measure(run: Path) -> dict[str, Any]:
        network = open_network(run / "last.keras", None, context.note)
        found: dict[str, Any] = {layer: purity(strongest_of(network, x, layer), labels, best) for layer in LAYERS}
        spread = np.linspace(0, len(x) - 1, int(options["moved"])).astype(int)  # of all classes
        return found | distances(network, x[spread], steps)

    runs, found = [], []
    for seed in context.seeds:
        settings: dict[str, Any] = {"filters": options["filters"], "classes": classes, "epochs": options["epochs"]}
        runs.append(context.train(network, name="five-layers", seed=seed, **settings))
        context.note(f"purity and invariance of {len(LAYERS)} layers, seed {seed}")
        found.append(context.finished(f"layers-{seed}", lambda: measure(runs[-1])))
    context.note("top patches and their projections")
    tiles = context.finished("patches", lambda: top_patches(runs[0], context.data))

    first, last = ([each[layer][~np.isnan(each[layer])] for each in found] for layer in (LAYERS[0], LAYERS[-1]))
    what = f"purity of the {best} strongest images, {LAYERS[-1]} - {LAYERS[0]}"
    difference = judged(what, "points", combined([last, [-each for each in first]]), "higher", 0.0, 100.0)
    moved = {name: np.mean([each[name] for each in found], axis=0) for name in changes(steps, 32)}
    shift = 100 * moved["translation"][:, 1:].mean(axis=1)
    verdict = difference.verdict
    if verdict == "reproduced" and shift[-1] >= shift[0]:
        verdict = "not seen at this scale"
    pure = [100 * float(np.nanmean(np.concatenate([each[layer] for each in found]))) for layer in LAYERS]
    accuracy = 100 * np.mean([context.predict(each, x).argmax(axis=1) == labels for each in runs])
    chance = 100 * chance_purity(labels, best)
    return LabResult(
        columns=("layer", f"purity of the {best} strongest images (%)", *(f"change by {name} (%)" for name in moved)),
        rows=tuple(
            (
                name,
                pure[row] if row < len(pure) else "",
                *(100 * float(each[row, 1:].mean()) for each in moved.values()),
            )
            for row, name in enumerate((*LAYERS, POOLED))
        ),
        verdict=verdict,
        reason=(
            f"purity rises from {pure[0]:.0f} % in {LAYERS[0]} to {pure[-1]:.0f} % in {LAYERS[-1]} (chance "
            f"{chance:.0f} %); translation changes the features by {shift[0]:.0f} % and {shift[-1]:.0f} % of their "
            f"norm; test accuracy {accuracy:.1f} %, {len(context.seeds)} seeds"
        ),
        differences=(difference,),
        figures=(
            draw(context.out / "feature-hierarchy.png", lab.claim, pure, chance, moved["translation"], steps),
            draw_patches(context.out / "feature-hierarchy-patches.png", tiles),
            draw_changes(context.out / "feature-hierarchy-invariance.png", moved, steps),
        ),
    )


def draw(path: Path, title: str, pure: Sequence[float], chance: float, moved: Array, steps: int) -> Path:
    """Purity by layer, and the change of the first and of the last features under translation."""
    from archspec.runtime.labs.figure_style import COLORS, figure, label_ends

    with figure(path, title, columns=2) as panels:
        left, right = panels.flat
        left.bar(range(len(pure)), pure, color=COLORS[2], width=0.6)
        left.axhline(chance, color="black", lw=1.5, ls=":")
        left.text(len(pure) - 0.5, chance + 1, "chance", fontsize=13)
        left.set_xlim(-0.6, len(pure) + 0.3)
        for place, each in enumerate(pure):
            left.text(place, each + 1, f"{each:.0f} %", ha="center", color=COLORS[2], fontweight="bold")
        left.set_xticks(range(len(pure)), LAYERS, fontsize=13)
        left.set(ylabel="same class among the 9 best images (%)", ylim=(0, 100))
        left.grid(False)
        curves = {LAYERS[0]: moved[0], LAYERS[-1]: moved[-2], "pooled": moved[-1]}
        _, shifts, _ = changes(steps, 32)["translation"]
        ends = {}
        for (name, curve), color in zip(curves.items(), (COLORS[0], COLORS[2], COLORS[1]), strict=True):
            right.plot(shifts, 100 * curve, "o-", color=color)
            ends[name] = (shifts[-1], 100 * curve[-1], color)
        right.set(xlabel="shift of the image (pixels)", ylabel="change of the features (%)", ylim=(0, None))
        label_ends(right, ends)
    return path


def draw_changes(path: Path, moved: Mapping[str, Array], steps: int) -> Path:
    """The change of every layer under each transformation (Figure 5 of the paper)."""
    from archspec.runtime.labs.figure_style import COLORS, figure, label_ends

    title = "How much each layer minds translation, scale and rotation"
    with figure(path, title, ylabel="change of the features (%)", columns=len(moved), sharey=True) as panels:
        for number, (axes, (name, curves)) in enumerate(zip(panels.flat, moved.items(), strict=True)):
            label, values, _ = changes(steps, 32)[name]
            ends = {}
            for layer, curve, color in zip((*LAYERS, "pooled"), curves, COLORS, strict=False):
                axes.plot(values, 100 * curve, color=color)
                ends[layer] = (values[-1], 100 * curve[-1], color)
            axes.set(xlabel=label, ylim=(0, None))
            if number:
                axes.set_ylabel("")
            if number == len(moved) - 1:
                label_ends(axes, ends)
    return path


def draw_patches(path: Path, tiles: Mapping[str, Any]) -> Path:
    """For each layer the patches that excite two channels most, and below each what excited it in them."""
    from archspec.runtime.labs.figure_style import figure

    title = "What excites two channels of each layer most, and the deconvnet's projection of it"
    rows = [(number, kind) for number in range(CHANNELS) for kind in ("patches", "projections")]
    with figure(path, title, rows=len(rows), columns=len(LAYERS), size=(11.0, 9.6)) as axes:
        for column, layer in enumerate(LAYERS):
            for row, (number, kind) in enumerate(rows):
                panel, name = axes[row, column], f"{layer}-{number}-{kind}"
                panel.set(xticks=[], yticks=[])
                panel.grid(False)
                panel.spines[:].set_visible(False)
                if name in tiles:
                    panel.imshow(square_of(tiles[name]), interpolation="nearest")
                if column == 0:
                    panel.set_ylabel("patches" if kind == "patches" else "deconvnet", fontsize=15)
            axes[0, column].set_title(layer, fontsize=16)
    return path


def square_of(tiles: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Up to nine tiles (n, h, w, C) as 3 x 3 with white lines; projections around grey, by their own largest value."""
    if tiles.dtype != np.uint8:
        largest = np.percentile(np.abs(tiles), 99.5) or 1.0
        tiles = np.clip(127.5 + 127.5 * tiles / largest, 0, 255).astype(np.uint8)
    height, width = tiles.shape[1:3]
    whole = np.full((3 * height + 2, 3 * width + 2, 3), 255, np.uint8)
    for number, tile in enumerate(tiles[:9]):
        row, column = divmod(number, 3)
        whole[row * (height + 1) :, column * (width + 1) :][:height, :width] = tile
    return whole
