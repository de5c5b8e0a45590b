"""Warns about small crops: a resize to 256 pixels before a crop of 32 shows a network the corner of an image."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from archspec.declare import Declared, arguments
from archspec.diagnostics import Diagnostic, Span
from archspec.lang.recipes.recipe import EvaluationRecipe, Recipe

LEAST = 1 / 4
"""Share of an image, by area, below which a crop is reported; the papers' 224 of 256 pixels is 0.77."""
MARGIN = 8 / 7
"""Shortest side of a training image, in units of the crop's: 256 of 224."""
Where = Callable[..., Span | None]
"""From the path of a key to its place in a spec."""


def small_crop(
    input_shape: Sequence[int | None],
    recipe: Recipe,
    protocol: EvaluationRecipe,
    where: Where = lambda *path: None,
    side: int | None = None,
) -> Diagnostic | None:
    """A warning if the crop of evaluation or of training shows less than a quarter of an image.

    Args:
        input_shape: (H, W, C), pixels; for other inputs there is no warning.
        side: shortest side of the training images, pixels, if known; used for crops without a resize.
    """
    if len(input_shape) != 3 or input_shape[0] is None or input_shape[1] is None:
        return None
    crop = (input_shape[0], input_shape[1])
    evaluated = _share(crop, protocol.resize)
    trained, training_side = _trained(crop, recipe.augment, side)
    facts, settings, span = [], [], None
    if evaluated < LEAST:
        facts.append(f"evaluation crops {_percent(evaluated)} of an image of {protocol.resize} pixels")
        settings.append(f"--set evaluate.resize={min(crop)}")
        span = where("evaluate", "resize")
    if trained < LEAST:
        facts.append(f"training crops {_percent(trained)} of an image of {training_side} pixels")
        settings.append(f"--set 'train.augment={_text(_smaller(recipe.augment, crop))}'")
        span = span or where("train", "augment")
    if not facts:
        return None
    size = "x".join(map(str, crop))
    message = f"a network for {size} pixels sees a small part of each image: {', and '.join(facts)}"
    return Diagnostic("small-crop", message, span, help=f"`{' '.join(settings)}`", severity="warning")


def _share(crop: tuple[int, int], side: int | None) -> float:
    """Share of the square of that side, by area."""
    return 1.0 if side is None else min(1.0, crop[0] / side) * min(1.0, crop[1] / side)


def _trained(crop: tuple[int, int], augment: Sequence[Declared], side: int | None) -> tuple[float, int | None]:
    """The largest share of an image that training crops, and the shortest side before the crop, pixels."""
    share, cropped_from = 1.0, side
    for transform in augment:
        if transform.name == "random_resized_crop":  # which chooses its share by itself
            return share, cropped_from
        if transform.name == "resize_smallest_side":
            size: Any = transform.size  # type: ignore[attr-defined]
            side = size[0] if isinstance(size, tuple) else size
        elif transform.name in ("center_crop", "random_crop") and side is not None:
            given: Any = transform.size or crop  # type: ignore[attr-defined]
            window = given if isinstance(given, tuple) else (given, given)
            cropped_from = cropped_from if share < 1 else side
            share *= _share(window, side)
            side = min(window)
    return share, cropped_from


def _smaller(augment: Sequence[Declared], crop: tuple[int, int]) -> list[Any]:
    """The transforms as in a spec, with the resize in proportion to the crop, and without a centre crop."""
    side = round(MARGIN * min(crop))
    chain: list[Any] = []
    for transform in augment:
        if transform.name == "resize_smallest_side":
            size: Any = transform.size  # type: ignore[attr-defined]
            chain.append({transform.name: [side, round(side * size[1] / size[0])] if isinstance(size, tuple) else side})
        elif transform.name != "center_crop":
            chain.append(_plain(transform))
    resized = any(transform.name == "resize_smallest_side" for transform in augment)
    return chain if resized else [{"resize_smallest_side": side}, *chain]


def _plain(transform: Declared) -> Any:
    """In the shortest form: `random_flip`, {"cutout": 16}, {"cutout": {"size": 16, "value": 121}}."""
    known = arguments(type(transform))
    given = {each.name: value for each in known if (value := getattr(transform, each.name)) != each.default}
    if not given:
        return transform.name
    return {transform.name: given[known[0].name] if list(given) == [known[0].name] else given}


def _text(value: Any) -> str:
    """As YAML in one line, without quotes for words."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_text(each)}" for key, each in value.items()) + "}"
    return value if isinstance(value, str) else json.dumps(value)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
