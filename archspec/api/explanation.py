"""Visual explanations of trained networks."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.arguments import PositiveInt, StrPath, as_path, as_paths, public
from archspec.declare import Argument, arguments
from archspec.wording import reporter

if TYPE_CHECKING:
    import keras
    import numpy as np
    import numpy.typing as npt

    from archspec.runtime.explain.explanation import Explanation


@dataclass(frozen=True)
class ExplainMethodSummary:
    """An explanation method and its options, as `archspec explain --help` shows them."""

    name: str
    """As in `archspec explain NAME`."""
    description: str
    """Its first line is a summary."""
    takes: str
    """`images`, `data` for a method of a whole data set, or `nothing` for one that reads only the weights."""
    caveat: str
    """What a user must know to read the pictures; empty for none."""
    options: tuple[Argument, ...]
    """Its arguments, with their meaning and default."""


def explain_methods() -> list[ExplainMethodSummary]:
    """The explanation methods, those of plugins included."""
    from archspec.runtime.explain import EXPLAIN_METHODS

    return [
        ExplainMethodSummary(name, inspect.cleandoc(each.__doc__ or ""), each.takes, each.caveat, arguments(each))
        for name, each in EXPLAIN_METHODS.with_plugins().items()
    ]


def check_explanation_folder(directory: StrPath, *, overwrite: bool = False) -> None:
    """Check before the work that a folder of explanations can be written.

    Raises:
        ArchspecError: `output-exists`, `cannot-write`.
    """
    from archspec.runtime.explain.outputs import check_explanation_folder

    check_explanation_folder(as_path(directory), overwrite=overwrite)


@public()
def explain(
    model: StrPath | keras.Model,
    images: StrPath | Sequence[StrPath] | npt.NDArray[np.uint8] = (),
    *,
    method: str = "gradcam",
    layer: str | None = None,
    classes: str | int | Sequence[str | int] | None = None,
    samples: PositiveInt | None = None,
    settings: Mapping[str, Any] | None = None,
    data: StrPath | None = None,
    split: str = "validation",
    per_class: PositiveInt | None = None,
    class_names: StrPath | None = None,
    batch_size: PositiveInt = 32,
    report: Callable[[str], None] | None = None,
) -> Explanation:
    """Explain what a trained network does with images, as `archspec explain` does.

    Images are resized, cropped and preprocessed as in evaluation. Gradients are those of the logits, before the
    softmax.

    Args:
        model: a `.keras` file, a run directory, or a functional keras.Model, which pixel values enter unchanged.
        images: files, folders and patterns such as `photos/*.png`, or an array of pixels, uint8 (N, H, W, C).
        method: one of `explain_methods()`.
        layer: the path of the layer to explain; by default that of the method.
        classes: names, numbers, or "top-3" for the three most probable classes of each image.
        samples: noisy copies of each image whose gradients are averaged (SmoothGrad).
        settings: other options of the method, by name: `{"size": 16}` for `occlusion`.
        data: a data source, one of `data_sources()`, whose images are explained too.
        split: the part of it, as for `evaluate`.
        per_class: how many images of each class to take from it; by default all.
        class_names: a file that names the classes, as `classes` of `predict`.
        batch_size: images, or copies of one, in a step.
        report: called with lines of progress and warnings.

    Returns:
        The maps as arrays, which can be written as pictures.

    Raises:
        ArchspecError: `unknown-method`, `unknown-option`, `bad-option`, `unknown-layer`, `not-spatial`,
            `unknown-class`, `method-not-applicable`, `data-shape`, `several-inputs`, `no-classifier`,
            `not-functional`, `bad-images` if no image can be read, `missing-package`; the errors of reading a model
            file and of the data source.
    """
    from archspec.runtime.explain.explainer import explain, find_method

    given = dict(settings or {})
    if classes is not None:
        several = [classes] if isinstance(classes, (str, int)) else classes
        given["classes"] = [str(each) for each in several]
    given |= {name: value for name, value in (("layer", layer), ("samples", samples)) if value is not None}
    return explain(
        model,
        as_paths(images) if isinstance(images, (str, os.PathLike, tuple)) else images,  # type: ignore[arg-type]
        method=find_method(method, given),
        data=as_path(data),
        split=split,
        per_class=per_class,
        classes=as_path(class_names),
        batch_size=batch_size,
        report=reporter(report),
    )
