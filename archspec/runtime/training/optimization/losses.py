"""The loss function of a recipe, on logits and on hard or mixed labels, and its factors for classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import did_you_mean, fail, listed
from archspec.lang.recipes.losses import CategoricalCrossentropy, Loss
from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.models.keras_class import keras_class
from archspec.runtime.models.metrics import cross_entropy


def class_weights(
    given: Any, class_names: Sequence[str], labels: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.float32] | None:
    """The factor of the loss of an image of each class, float32 (classes,), or None.

    `balanced` is N / (classes * n) for a class with n of the N images, as in scikit-learn's `compute_class_weight`. A
    mapping names classes or their indices; other classes have factor 1, as with `class_weight` of Keras's `fit`.

    Raises ArchspecError (`class-weight`) for an unknown class.
    """
    if given is None:
        return None
    if given == "balanced":
        counts = np.bincount(labels, minlength=len(class_names))
        return (len(labels) / (len(class_names) * np.maximum(counts, 1))).astype(np.float32)
    weights = np.ones(len(class_names), np.float32)
    for key, weight in given.items():
        word = str(key)
        if word in class_names:
            weights[list(class_names).index(word)] = weight
        elif word.isdecimal() and int(word) < len(class_names):
            weights[int(word)] = weight
        else:
            raise fail(
                "class-weight",
                f"`class_weight` names the class `{word}`, but the data has no such class",
                help=did_you_mean(word, class_names) or f"the classes are: {listed(class_names)}",
            )
    return weights


Losses = Callable[[Any, Any], Any]
"""From logits float32 (B, classes) and labels, int (B,) or float (B, classes), to losses float32 (B,)."""
OVER_THE_BATCH = frozenset({"dice", "tversky"})
"""Losses that Keras sums over the whole batch by default, instead of over each example."""


def training_loss(recipe: Recipe) -> Losses:
    """The loss that training minimizes."""
    return _losses(recipe.loss, recipe.label_smoothing)


def validation_loss(recipe: Recipe) -> Losses:
    """The same loss without label smoothing."""
    plain = {"label_smoothing": 0.0} if hasattr(recipe.loss, "label_smoothing") else {}
    return _losses(dataclasses.replace(recipe.loss, **plain), 0.0)


def _losses(declared: Loss, smoothing: float) -> Losses:
    import keras
    import tensorflow as tf

    if isinstance(declared, CategoricalCrossentropy):
        share = declared.label_smoothing or smoothing
        return lambda logits, labels: cross_entropy(tf, logits, labels, share)
    given = dataclasses.asdict(declared)
    if declared.logits:
        given["from_logits"] = True
    if declared.name in OVER_THE_BATCH:
        given["axis"] = (-1,)
    loss = keras_class(keras.losses, declared.name)(**given, reduction="none", dtype="float32")

    def losses(logits: Any, labels: Any) -> Any:
        classes = logits.shape[-1]
        target = labels
        if not declared.sparse:
            target = smoothed(tf, one_hot(tf, labels, classes), smoothing)
        return loss(target, logits if declared.logits else tf.nn.softmax(logits))

    return losses


def one_hot(tf: Any, labels: Any, classes: int) -> Any:
    """Labels, int (B,) or float (B, classes), as float32 (B, classes)."""
    return tf.one_hot(labels, classes) if labels.dtype.is_integer else tf.cast(labels, tf.float32)


def smoothed(tf: Any, target: Any, smoothing: float) -> Any:
    """Float32 (B, classes) with that share spread over all classes (Szegedy et al. 2015, section 7)."""
    return (1 - smoothing) * target + smoothing / target.shape[-1] if smoothing else target
