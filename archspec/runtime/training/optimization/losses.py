"""The loss function of a recipe, on logits and on hard or mixed labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from archspec.lang.recipes.losses import CategoricalCrossentropy, Loss
from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.models.keras_class import keras_class
from archspec.runtime.models.metrics import cross_entropy

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
