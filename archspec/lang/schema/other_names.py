"""Keys and names of a recipe and of other sections, as other programs write them: the remedy for each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from archspec.declare import arguments
from archspec.diagnostics import did_you_mean
from archspec.lang.schema.validator import Path

LACKING = "archspec has no such transform by itself; `rand_augment` rotates, shears and changes colors"
NO_TRANSFORM = {
    *("randomrotation", "rotation", "rotate", "randomrotate", "randomzoom", "zoom", "randomaffine", "affine"),
    *(
        "randomperspective",
        "perspective",
        "shear",
        "randomshear",
        "gaussianblur",
        "blur",
        "randomgrayscale",
        "grayscale",
    ),
    *("gaussiannoise", "elastictransform", "autocontrast", "randomsolarize", "solarize", "posterize", "equalize"),
}
"""Transforms of Keras, torchvision and Albumentations that archspec does not have, in lower case without signs."""


def plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def of_another_library(name: str, known: Sequence[str]) -> str | None:
    """The remedy for a loss, a schedule, a transform, ..., under its name in another library."""
    from archspec.lang.schema.foreign import recipe_name

    ours = recipe_name(name, known)
    if ours:
        return f"did you mean `{ours}`?"
    return LACKING if "rand_augment" in known and plain(name) in NO_TRANSFORM else None


def of_section(name: str, known: Sequence[str], path: Path) -> str | None:
    """The remedy for a key that a section does not have: by its name in other programs, or a similar name."""
    from archspec.lang.schema.foreign import section_key

    place = path[:1] if len(path) < 2 or path[0] == "published" else ("?",)
    return section_key(name, str(place[0]) if place else "") or did_you_mean(name, known)


def of_the_recipe(
    name: str, known: Sequence[str], head: str | None, path: Path, beside: Mapping[str, Any] | None
) -> str | None:
    """The remedy for an argument of a schedule, a loss, ..., under another name; and for one of the optimizer.

    `learning_rate` may be in the recipe or right under `optimizer`, and `lr` in the optimizer.
    """
    from archspec.lang.schema.foreign import argument
    from archspec.lang.schema.messages import SHORT, one_key_options

    if path[:1] != ("train",):
        return None
    optimizers = one_key_options()["optimizer"]
    ours = SHORT.get(name, name)
    if ours in [each.name for each in arguments(optimizers["sgd"])]:
        if head in optimizers and name in SHORT:
            return f"did you mean `{ours}`?"
        if path in (("train",), ("train", "optimizer")):
            given = (beside or {}).get("optimizer") if path == ("train",) else next(iter(beside or ()), None)
            named = given if isinstance(given, (str, dict, list)) else ()
            chosen = next((each for each in optimizers if each in named), "sgd")
            form = f"`optimizer: {{{chosen}: {{{ours}: ...}}}}`"
            return f"set it on the optimizer: {form}, or `--set train.optimizer.{chosen}.{ours}=...`"
    near = argument(name, known) if head else None
    return f"did you mean `{near}`?" if near else None


def as_mapping(text: str, known: Sequence[str]) -> str | None:
    """`{adam: {learning_rate: 0.001}}` for `adam(lr=0.001)`."""
    from archspec.lang.schema.messages import SHORT

    found = re.fullmatch(r"(?:\w+\.)*(\w+)\((.*)\)", text[:200])
    name = found and next((each for each in known if each == found[1].lower()), None)
    if not found or not name:
        return None
    given = re.findall(r"(\w+)\s*=\s*([\w.+-]+)", found[2])
    return f"{{{name}: {{{', '.join(f'{SHORT.get(key, key)}: {value}' for key, value in given)}}}}}" if given else name
