"""How the outputs of layers with random weights follow an image that moves.

A function f is equivariant to translation T if f(T x) = T f(x), and invariant if f(T x) = f(x). Digits move in a black
square; away from the border their feature maps are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from archspec.runtime.labs.context import LabContext
    from archspec.runtime.labs.lab import Lab
    from archspec.runtime.labs.result import LabResult

Array = npt.NDArray[np.float32]
KERNEL = 5
"""Side of the kernels, pixels."""
ENLARGED = 3
"""Each pixel of a digit becomes a square of this side."""
WHAT = {"follow": "moved map", "change": "features"}
ROUNDING = 1e-5
"""Share of the norm that a sum of the same values in another order may change."""


def on_canvas(digits: npt.NDArray[np.uint8], side: int, shift: int) -> Array:
    """Enlarged digits on a black square, moved right by `shift` pixels from the centre: (N, side, side, 1), below 1."""
    big = np.repeat(np.repeat(digits[..., :1], ENLARGED, axis=1), ENLARGED, axis=2).astype(np.float32) / 256
    found = np.zeros((len(big), side, side, 1), np.float32)
    top, left = (side - big.shape[1]) // 2, (side - big.shape[2]) // 2 + shift
    found[:, top : top + big.shape[1], left : left + big.shape[2]] = big
    return found


def interior(maps: Array, columns: int, border: int) -> tuple[Array, Array]:
    """Where maps moved right by `columns` positions, and the same maps before it, both without the border.

    (N, H, W, C) -> two views of the same shape: `[..., x + columns, :]` of the first belongs to `[..., x, :]`.
    """
    width = maps.shape[2]
    rows = slice(border, maps.shape[1] - border)
    return maps[:, rows, border + columns : width - border], maps[:, rows, border : width - border - columns]


def equivariance_error(before: Array, after: Array, columns: int, border: int) -> tuple[float, int]:
    """How far `after` is from `before` moved right: (share of the norm, number of values that differ in a bit)."""
    expected = interior(before, columns, border)[1]
    found = interior(after, columns, border)[0]
    difference = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    return difference, int(np.count_nonzero(found.view(np.int32) != expected.view(np.int32)))


def change(before: Array, after: Array) -> float:
    """How much features changed, as a share of their norm: the mean over the images."""
    first, second = before.reshape(len(before), -1), after.reshape(len(after), -1)
    return float(np.mean(np.linalg.norm(second - first, axis=1) / np.linalg.norm(first, axis=1)))


def measure(digits: npt.NDArray[np.uint8], seed: int, options: Mapping[str, Any]) -> dict[str, Array]:
    """The curves of one draw of random weights, with one value for each shift from 0.

    `follow/NAME`: the equivariance error; `bits/NAME`: values that differ; `change/NAME`: the change of the features.
    """
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf = import_tensorflow()
    side, filters = int(options["canvas"]), int(options["filters"])
    random = np.random.default_rng(seed)
    # multiples of 1/64, and pixels of 1/256: float32 adds their products without rounding, in any order
    kernel = (np.round(64 * random.normal(0, 1 / KERNEL, (KERNEL, KERNEL, 1, filters))) / 64).astype(np.float32)
    images = [on_canvas(digits, side, shift) for shift in range(int(options["shifts"]) + 1)]
    few = 4  # maps of a dense layer: as many outputs as inputs, times this
    matrix = random.normal(0, 1 / side, (side * side, side * side * few)).astype(np.float32)

    def convolution(x: Array, stride: int) -> Any:
        return tf.nn.conv2d(x, kernel, stride, "SAME")

    curves: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        curves.setdefault(name, []).append(value)

    for stride in map(int, options["strides"]):
        border = -(-KERNEL // stride)
        maps = [convolution(x, stride).numpy() for x in images]
        for shift, after in enumerate(maps):
            error, bits = equivariance_error(maps[0], after, round(shift / stride), border)
            add(f"follow/{stride}", error)
            add(f"bits/{stride}", bits)
    flat = [x.reshape(len(x), -1) @ matrix for x in images]
    for shift, outputs in enumerate(flat):
        before, after = (each.reshape(len(each), side, side, few) for each in (flat[0], outputs))
        error, bits = equivariance_error(before, after, shift, KERNEL)
        add("follow/mlp", error)
        add("bits/mlp", bits)
        add("change/mlp", change(np.maximum(flat[0], 0), np.maximum(outputs, 0)))
    relu = [tf.nn.relu(convolution(x, 1)) for x in images]
    for window in (1, *map(int, options["windows"])):
        pooled = [tf.nn.max_pool2d(maps, window, window, "VALID").numpy() for maps in relu]
        for after in pooled:
            add(f"change/{window}", change(pooled[0], after))
    means = [tf.reduce_mean(maps, axis=(1, 2)).numpy() for maps in relu]
    for after in means:
        add("change/global", change(means[0], after))
    return {name: np.array(values, np.float32) for name, values in curves.items()}


def holds(curves: Mapping[str, Array], strides: Sequence[int], windows: Sequence[int]) -> bool:
    """The criterion, for curves (seeds, shifts)."""
    shifts = np.arange(next(iter(curves.values())).shape[-1])
    exact = all(
        np.all(curves[f"bits/{stride}"][:, shifts % stride == 0] == 0)
        and np.all(curves[f"bits/{stride}"][:, shifts % stride != 0] > 0)
        for stride in strides
    )
    means = [curves[f"change/{window}"][:, 1:].mean() for window in (1, *windows)]
    smaller = all(after < before for before, after in pairwise(means))
    still = curves["change/global"].max() < ROUNDING
    neither = np.all(curves["bits/mlp"][:, 1:] > 0) and curves["change/mlp"][:, 1:].mean() > means[-1]
    return bool(exact and smaller and still and neither)


def run(lab: Lab, context: LabContext) -> LabResult:
    """Measure the curves for each seed, and check the criterion."""
    from archspec.runtime.labs.result import LabResult

    digits, _ = context.arrays("validation")
    found = [
        context.finished(f"curves-{seed}", lambda seed=seed: measure(digits, seed, context.options))  # type: ignore[misc]
        for seed in context.seeds
    ]
    curves = {name: np.stack([each[name] for each in found]) for name in found[0]}
    strides, windows = (list(map(int, context.options[name])) for name in ("strides", "windows"))
    true = holds(curves, strides, windows)
    named = follow_names(strides) | change_names(windows)
    rows = tuple(
        (
            f"{WHAT[name.partition('/')[0]]}, {label}",
            *(100 * float(curves[name][:, shift].mean()) for shift in (1, 2, 4)),
            float(curves[name.replace("follow", "bits")][:, 1:].max()) if name.startswith("follow") else "",
        )
        for name, label in named.items()
    )
    one, most = (100 * curves[f"change/{window}"][:, 1:].mean() for window in (1, windows[-1]))
    return LabResult(
        columns=("difference of", *(f"{shift} px (%)" for shift in (1, 2, 4)), "most values that differ in a bit"),
        rows=rows,
        verdict="reproduced" if true else "not seen at this scale",
        reason=(
            f"a convolution follows to the last bit; shifts up to {len(curves['change/1'][0]) - 1} pixels change its "
            f"features by {one:.0f} %, and by {most:.0f} % after pooling over {windows[-1]} x {windows[-1]}"
        ),
        figures=(draw(context.out / "equivariance.png", lab.claim, curves, strides, windows),),
    )


def follow_names(strides: Sequence[int]) -> dict[str, str]:
    """Curve -> label, of the first panel."""
    return {f"follow/{stride}": f"stride {stride}" if stride > 1 else "convolution" for stride in strides} | {
        "follow/mlp": "MLP"
    }


def change_names(windows: Sequence[int]) -> dict[str, str]:
    """Curve -> label, of the second panel."""
    pooled = {f"change/{window}": f"{window} x {window}" for window in windows}
    return {"change/1": "no pooling", **pooled, "change/global": "global", "change/mlp": "MLP"}


def draw(path: Path, title: str, curves: Mapping[str, Array], strides: Sequence[int], windows: Sequence[int]) -> Path:
    """Two panels: what does not follow, and what changes."""
    from archspec.runtime.labs.figure_style import COLORS, figure, label_ends

    panels = {
        "Does the map move with the image?": ("difference from the moved map (%)", follow_names(strides)),
        "Does pooling stop the change?": ("change of the features (%)", change_names(windows)),
    }
    with figure(path, title, xlabel="shift of the image (pixels)", columns=2) as both:
        for axes, (question, (ylabel, names)) in zip(both.flat, panels.items(), strict=True):
            ends = {}
            others = iter([*COLORS[:3], *COLORS[4:]])
            for name, label in names.items():
                color = COLORS[3] if label == "MLP" else next(others)
                mean = 100 * curves[name].mean(axis=0)
                shifts = np.arange(len(mean))
                axes.plot(shifts, mean, "o-", color=color)
                ends[label] = (shifts[-1], mean[-1], color)
            axes.set_title(question, loc="left", fontsize=16)
            axes.set(ylabel=ylabel, ylim=(0, None), xticks=shifts[::2])
            label_ends(axes, ends)
    return path
