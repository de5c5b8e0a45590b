"""A picture of the network's inputs: each image as in evaluation, then augmented."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, fail
from archspec.lang.recipes.recipe import EvaluationRecipe, Recipe
from archspec.ops.base import Shape, show
from archspec.runtime.data.images import Images, Report, label_texts
from archspec.runtime.data.pipeline.batches import evaluation_batches, training_batches
from archspec.runtime.data.sources.dataset import open_data
from archspec.runtime.data.sources.source import find_source, open_source
from archspec.runtime.system.atomic_write import atomic
from archspec.transforms import Transform

SMALLEST = 96  # pixels: smaller images are enlarged by an integer factor
GAP, HEADING = 4, 16  # pixels between images, and above them for text
FONT_SIZE = 11  # pixels
BACKGROUND, INK = (255, 255, 255), (40, 40, 40)


def preview(
    input_shape: Shape,
    recipe: Recipe,
    protocol: EvaluationRecipe,
    data: str,
    path: Path,
    *,
    rows: int = 6,
    columns: int = 7,
    seed: int = 0,
    skip_bad_images: bool = False,
    report: Report | None = None,
) -> tuple[int, int]:
    """Write a PNG with one row for each of `rows` images of all classes. The columns are the view of evaluation, then
    `columns - 1` epochs of training, in grey levels before `preprocess`.

    Returns:
        The numbers of rows and columns.

    Raises:
        ArchspecError: those of `open_data` and `training_batches`; data-shape for other inputs than images;
            cannot-write.
    """
    if len(input_shape) != 3 or input_shape[-1] not in (1, 3):
        raise fail("data-shape", f"a preview needs grey or RGB images, but the network's input is {show(input_shape)}")
    opening: dict[str, Any] = {"skip_bad_images": skip_bad_images, "channels": input_shape[-1], "report": report}
    if not find_source(data).has_classes(data):
        tell = report or (lambda line: None)
        opening["parts"] = open_source(data, channels=int(input_shape[-1]), report=tell, columns=True)
    try:
        images = open_data(data, "train", **opening)
    except ArchspecError as error:
        if error.diagnostics[0].code != "validation-split":
            raise
        images = open_data(data, "validation", **opening)  # data without a split
    views, names = views_of(images, input_shape, recipe, protocol, rows=rows, columns=columns, seed=seed)
    picture = contact_sheet(views, names, ["evaluation", *(f"epoch {i + 1}" for i in range(columns - 1))])
    from PIL import Image

    with atomic(path) as temporary:
        Image.fromarray(picture).save(temporary, "PNG")
    return len(names), columns


def views_of(
    images: Images,
    input_shape: Shape,
    recipe: Recipe,
    protocol: EvaluationRecipe,
    *,
    rows: int,
    columns: int,
    seed: int = 0,
) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Images of all classes as in evaluation, then in `columns - 1` epochs of training, before `preprocess`.

    Returns:
        Grey levels of at most `rows` images (rows, columns, H, W, C), and the name of the class of each row.
    """
    chosen = spread(images.labels, rows)
    subset = replace(
        images.only(chosen),
        class_names=tuple(map(str, range(len(chosen)))),
        labels=np.arange(len(chosen), dtype=np.int32),  # the labels of a batch tell its images
        columns=(),
        targets=None,
        y=None,
    )
    seen: dict[str, Any] = {"input_shape": input_shape, "batch_size": len(chosen), "resize": protocol.resize}
    epochs = list(
        training_batches(
            subset,
            augment=cast("tuple[Transform, ...]", recipe.augment),
            resample=recipe.resample,
            seed=seed,
            epochs=columns - 1,
            **seen,
        )
    )
    rows_of = [y.numpy() for _, y in training_batches(subset, seed=seed, epochs=columns - 1, **seen)]
    views = [next(iter(evaluation_batches(subset, **seen)))[0].numpy()]
    views += [x.numpy()[np.argsort(own)] for (x, _), own in zip(epochs, rows_of, strict=True)]
    return np.stack(views, 1), label_texts(images.only(chosen))


def spread(labels: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int64]:
    """Up to `count` row numbers from as many classes as possible: the first image of each, then the second, ..."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order])
    position = np.arange(len(labels)) - starts  # in its class
    return np.sort(order[np.lexsort((labels[order], position))][:count])


def _font() -> Any:
    """DejaVu Sans of matplotlib, which has the letters of most alphabets; Pillow's own font has no `ö`."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(os.path.join(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), FONT_SIZE)


def contact_sheet(views: npt.NDArray[np.float32], names: list[str], headings: list[str]) -> npt.NDArray[np.uint8]:
    """Views (rows, columns, H, W, C) in grey levels -> uint8 RGB (h, w, 3), with text above each column and row."""
    from PIL import Image, ImageDraw

    rows, columns, height, width, channels = views.shape
    levels = np.clip(np.rint(views), 0, 255).astype(np.uint8)
    factor = max(1, -(-SMALLEST // max(height, width)))
    levels = levels.repeat(factor, 2).repeat(factor, 3).repeat(3 // channels, 4)
    step_y, step_x = height * factor + GAP + HEADING, width * factor + GAP
    picture = Image.new("RGB", (columns * step_x + GAP, rows * step_y + HEADING + GAP), BACKGROUND)
    draw, font = ImageDraw.Draw(picture), _font()
    for column, heading in enumerate(headings):
        draw.text((GAP + column * step_x, 2), heading, INK, font)
    for row, name in enumerate(names):
        top = HEADING + row * step_y
        draw.text((GAP, top + 2), name, INK, font)
        for column in range(columns):
            picture.paste(Image.fromarray(levels[row, column]), (GAP + column * step_x, top + HEADING))
    return np.asarray(picture)
