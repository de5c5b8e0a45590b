"""Where a network looks: on the object, or on a colored corner that gives the class away in the training images."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.labs.generated import RGB, GeneratedImages
from archspec.runtime.labs.shape_images import CLASSES, inside_boxes, measured, splits, train_and_test

if TYPE_CHECKING:
    from archspec.runtime.labs.context import Arrays, LabContext
    from archspec.runtime.labs.lab import Lab
    from archspec.runtime.labs.result import LabResult

Pixels = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]
CORNER = 6
"""Side of the colored corner at the top left, pixels."""
SEEN = 12
"""Side of the corner in which the map is counted: the corner, and what the coarse map blurs around it."""
EXAMPLES = 4


def with_corner(images: Pixels, classes: Numbers) -> Pixels:
    """Images (N, H, W, 3) whose top left corner has the color of a class (N,)."""
    found = images.copy()
    found[:, :CORNER, :CORNER] = np.array(list(RGB.values()), np.uint8)[classes][:, None, None]
    return found


def planted(share: float) -> Any:
    """Changes training images: this share of them gets the corner of its class, the others that of any class."""

    def change(images: Pixels, classes: Numbers, random: np.random.Generator) -> Pixels:
        given = np.where(random.random(len(classes)) < share, classes, random.integers(len(CLASSES), size=len(classes)))
        return with_corner(images, given)

    return change


def random_corners(images: Pixels, classes: Numbers, random: np.random.Generator) -> Pixels:
    """Changes training images: the corner says nothing about the class."""
    return with_corner(images, random.integers(len(CLASSES), size=len(classes)))


def share_inside(maps: npt.NDArray[Any], inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The share of each map (N, H, W) that lies inside; nan for a map of zeros."""
    total = maps.sum(axis=(1, 2), dtype=np.float64)
    part = np.where(inside, maps, 0).sum(axis=(1, 2), dtype=np.float64)
    found: npt.NDArray[np.float64] = np.divide(part, total, out=np.full(len(maps), np.nan), where=total > 0)
    return found


def measure(run: Path, test: GeneratedImages, corners: Numbers, predict: Any) -> dict[str, Any]:
    """Of each test image with the corner of another class (N,): the predicted class and its Grad-CAM map (N, H, W).

    `object`: the share of the map in the object's box; `corner`: the share in the corner. `plain`: the class that is
    predicted for the image with the corner of its own class.
    """
    from archspec.runtime.explain.explainer import explain, find_method

    images = with_corner(test.pixels, corners)
    explained = explain(run / "last.keras", images, method=find_method("gradcam", {}))
    maps = np.maximum(explained.maps[:, 0], 0)
    corner = np.zeros(maps.shape[1:], bool)
    corner[:SEEN, :SEEN] = True
    return {
        "classes": predict(run, images).argmax(axis=1),
        "plain": predict(run, with_corner(test.pixels, test.factors["shape"])).argmax(axis=1),
        "maps": maps.astype(np.float16),
        "object": share_inside(maps, inside_boxes(test)),
        "corner": share_inside(maps, corner),
    }


def run(lab: Lab, context: LabContext) -> LabResult:
    """Train a biased and a clean network with each seed, and compare their maps on the same images."""
    from archspec.runtime.labs.bootstrap import combined
    from archspec.runtime.labs.result import LabResult, judged

    options = context.options
    train, test = train_and_test(options)
    labels = test.factors["shape"]
    corners = (labels + np.random.default_rng(2).integers(1, len(CLASSES), size=len(labels))) % len(CLASSES)
    changes = {"biased": planted(float(options["planted"])), "clean": random_corners}
    found: dict[str, list[Arrays]] = {
        name: measured(
            context,
            name,
            partial(splits, train, test, change),
            lambda run: measure(run, test, corners, context.predict),
        )
        for name, change in changes.items()
    }
    gaps = [
        np.nan_to_num(biased["corner"]) - np.nan_to_num(clean["corner"])
        for biased, clean in zip(found["biased"], found["clean"], strict=True)
    ]
    what = "share of the Grad-CAM map in the corner, biased - clean network"
    difference = judged(what, "points", combined([gaps]), "higher", 0.0, 100.0)
    rows = []
    for name, seeds in found.items():
        right = np.stack([each["classes"] == labels for each in seeds])
        own = np.mean([each["plain"] == labels for each in seeds])
        for answer, chosen in (("right answers", right), ("wrong answers", ~right)):
            shares = [np.stack([each[place] for each in seeds])[chosen] for place in ("corner", "object")]
            rows.append(
                (
                    f"{name}, {answer}",
                    float(100 * chosen.mean()),
                    *(float(100 * np.nanmean(each)) if np.isfinite(each).any() else "none" for each in shares),
                    float(100 * own),
                )
            )
    means = {
        name: [100 * float(np.nanmean([each[place] for each in seeds])) for place in ("corner", "object")]
        for name, seeds in found.items()
    }
    fooled = 100 * float(np.mean([each["classes"] == corners for each in found["biased"]]))
    return LabResult(
        columns=(
            "network, answers",
            "answers (%)",
            "map in the corner (%)",
            "map on the object (%)",
            "accuracy with the true corner (%)",
        ),
        rows=tuple(rows),
        verdict=difference.verdict,
        reason=(
            f"{means['biased'][0]:.0f} % of the biased network's map lies in the corner, {means['clean'][0]:.0f} % of "
            f"the clean one's; a wrong corner makes the biased network answer its class in {fooled:.0f} % of the images"
        ),
        differences=(difference,),
        figures=(draw(context.out / "grad-cam.png", lab.claim, with_corner(test.pixels, corners), labels, found),),
    )


def draw(path: Path, title: str, images: Pixels, labels: Numbers, found: Mapping[str, list[Arrays]]) -> Path:
    """Images with the maps of both networks over them and their answers, a wrong one of the clean network too."""
    from archspec.runtime.labs.figure_style import COLORS, figure

    biased, clean = (found[name][0] for name in ("biased", "clean"))
    right = clean["classes"] == labels
    fooled = biased["classes"] != labels
    order = [*np.flatnonzero(right & fooled)[: EXAMPLES - 1], *np.flatnonzero(~right)[:1], *range(len(labels))]
    chosen = list(dict.fromkeys(map(int, order)))[:EXAMPLES]
    rows = {"image": None, "biased network": biased, "clean network": clean}
    with figure(path, title, rows=3, columns=EXAMPLES, size=(11.0, 8.4)) as axes:
        for column, number in enumerate(chosen):
            for line, (name, each) in enumerate(rows.items()):
                panel = axes[line, column]
                panel.imshow(images[number])
                if each is not None:
                    values = each["maps"][number].astype(np.float32)
                    panel.imshow(values, cmap="inferno", alpha=0.6, vmin=0, vmax=max(float(values.max()), 1e-6))
                    answer = CLASSES[int(each["classes"][number])]
                    true = each["classes"][number] == labels[number]
                    panel.set_xlabel(
                        f"{answer}: {'right' if true else 'wrong'}", color=COLORS[2 if true else 1], fontweight="bold"
                    )
                else:
                    panel.set_xlabel(CLASSES[int(labels[number])])
                panel.set(xticks=[], yticks=[])
                panel.grid(False)
                if column == 0:
                    panel.set_ylabel(name, fontsize=15)
    return path
