"""Covering the object, and covering the background, in generated images whose object has a known place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.labs.generated import GeneratedImages
from archspec.runtime.labs.shape_images import inside_boxes, measured, splits, train_and_test

if TYPE_CHECKING:
    from archspec.runtime.labs.context import LabContext
    from archspec.runtime.labs.lab import Lab
    from archspec.runtime.labs.result import LabResult

Pixels = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.int64]
GREY = 127
EXAMPLES = 3
HALF = 50.0
"""Percent of the images whose darkest place lies on the object."""


def covered(images: Pixels, boxes: Boxes) -> Pixels:
    """Images (N, H, W, C) with a grey rectangle each: (N, 4), left, top, right, bottom."""
    found = images.copy()
    for image, (left, top, right, bottom) in zip(found, boxes, strict=True):
        image[top:bottom, left:right] = GREY
    return found


def elsewhere(boxes: Boxes, side: int) -> Boxes:
    """Of each box, one in the corner farthest from it: of the same size, cut where it would touch the box itself."""
    left, top, right, bottom = boxes.T
    width, height = right - left, bottom - top
    at_left, at_top = left + right > side, top + bottom > side
    new_left = np.where(at_left, 0, side - width)
    new_top = np.where(at_top, 0, side - height)
    found = np.stack([new_left, new_top, new_left + width, new_top + height], axis=1)
    overlap = (np.minimum(right, found[:, 2]) > np.maximum(left, found[:, 0])) & (
        np.minimum(bottom, found[:, 3]) > np.maximum(top, found[:, 1])
    )
    # cut the height: the object lies in the other half
    found[:, 3] = np.where(overlap & at_top, np.minimum(found[:, 3], top), found[:, 3])
    found[:, 1] = np.where(overlap & ~at_top, np.maximum(found[:, 1], bottom), found[:, 1])
    return found


def measure(run: Path, test: GeneratedImages, predict: Any, side: int, stride: int) -> dict[str, Any]:
    """Of each test image (N,): whether it is classified correctly, and its true class's probability with covers.

    `whole`, `object`, `background`: with nothing, the object, or as much of the background covered. `hit`: whether the
    square in the darkest place of the occlusion map has its centre in the object's box. `maps`: of the first images
    that are classified correctly, (EXAMPLES, H, W); `examples`: their numbers. Others have nan and False.
    """
    from archspec.runtime.explain.explainer import explain, find_method

    labels = test.factors["shape"]
    rows = np.arange(len(labels))
    whole = predict(run, test.pixels)
    correct = np.flatnonzero(whole.argmax(axis=1) == labels)
    boxes = elsewhere(test.boxes, test.pixels.shape[1])
    method = find_method("occlusion", {"size": side, "stride": stride})  # of the most probable class: the true one
    explained = explain(run / "last.keras", test.pixels[correct], method=method).images if len(correct) else ()
    hit = np.zeros(len(labels), bool)
    inside = inside_boxes(test)
    for row, image in zip(correct, explained, strict=True):
        lowest = image.panels[0].numbers["lowest_at"]
        hit[row] = inside[row, lowest["top"] + side // 2, lowest["left"] + side // 2]
    return {
        "correct": np.isin(rows, correct),
        "whole": whole[rows, labels],
        "object": predict(run, covered(test.pixels, test.boxes))[rows, labels],
        "background": predict(run, covered(test.pixels, boxes))[rows, labels],
        "hit": hit,
        "examples": correct[:EXAMPLES],
        "maps": np.stack([image.panels[0].values for image in explained[:EXAMPLES]])
        if len(correct)
        else np.zeros((0, *test.pixels.shape[1:3])),
    }


def run(lab: Lab, context: LabContext) -> LabResult:
    """Train with each seed, cover objects and backgrounds, and compare."""
    from archspec.runtime.labs.bootstrap import combined
    from archspec.runtime.labs.result import LabResult, judged

    options = context.options
    train, test = train_and_test(options)
    side = round(float(np.mean(test.boxes[:, 2] - test.boxes[:, 0])))
    found = measured(
        context,
        "shapes",
        lambda: splits(train, test),
        lambda run: measure(run, test, context.predict, side, int(options["stride"])),
    )
    kept = [each["correct"] for each in found]
    means = {
        name: 100 * float(np.mean([each[name][rows].mean() for each, rows in zip(found, kept, strict=True)]))
        for name in ("whole", "background", "object", "hit")
    }
    falls = [
        (each["background"] - each["object"])[rows].astype(np.float64) for each, rows in zip(found, kept, strict=True)
    ]
    what = "probability of the true class, background covered - object covered"
    difference = judged(what, "points", combined([falls]), "higher", 0.0, 100.0)
    area = 100 * float(np.mean(inside_boxes(test)))
    verdict = difference.verdict
    if verdict == "reproduced" and means["hit"] <= HALF:
        verdict = "not seen at this scale"
    accuracy = 100 * float(np.mean(kept))
    return LabResult(
        columns=("image", "probability of the true class (%)"),
        rows=(
            ("unchanged", means["whole"]),
            ("background covered", means["background"]),
            ("object covered", means["object"]),
            ("darkest place on the object (% of images)", means["hit"]),
            ("box of the object (% of the area)", area),
            ("test accuracy (%)", accuracy),
        ),
        verdict=verdict,
        reason=(
            f"{means['object']:.1f} % with the object covered, {means['background']:.1f} % with as much background "
            f"covered; the darkest place lies on the object in {means['hit']:.0f} % of the images, "
            f"{len(context.seeds)} seeds"
        ),
        differences=(difference,),
        figures=(draw(context.out / "occlusion.png", lab.claim, test, found[0], means),),
    )


def draw(path: Path, title: str, test: GeneratedImages, shown: dict[str, Any], means: dict[str, float]) -> Path:
    """Four images with their maps, and the mean probabilities."""
    from archspec.runtime.labs.figure_style import COLORS, figure

    with figure(path, title) as axes:
        made = axes.figure
        axes.remove()
        left, right = made.add_gridspec(1, 2, width_ratios=(1.9, 1))
        grid = left.subgridspec(2, EXAMPLES, wspace=0.05, hspace=0.05)
        for column, (row, values) in enumerate(zip(shown["examples"], shown["maps"], strict=True)):
            above, below = (made.add_subplot(grid[line, column]) for line in (0, 1))
            above.imshow(test.pixels[row])
            below.imshow(values, cmap="viridis", vmin=0, vmax=1)
            for each in (above, below):
                each.set(xticks=[], yticks=[])
            if column == 0:
                above.set_ylabel("image")
                below.set_ylabel("probability with\na square here", fontsize=14)
            if column == EXAMPLES - 1:
                below.set_xlabel("dark: low", fontsize=14)
        bars = made.add_subplot(right)
        names = {"whole": "unchanged", "background": "background\ncovered", "object": "object\ncovered"}
        for row, name in enumerate(names):
            bars.barh(row, means[name], color=COLORS[row], height=0.6)
            bars.text(2, row, f"{means[name]:.0f} %", va="center", color="white", fontweight="bold")
        bars.set_yticks(range(3), list(names.values()), fontsize=14)
        bars.invert_yaxis()
        bars.spines[["top", "right"]].set_visible(False)
        bars.set(xlim=(0, 100), xlabel="probability of the true class (%)")
    return path
