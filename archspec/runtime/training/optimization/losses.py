"""The loss function of a recipe, on logits and on hard or mixed labels, and its factors for classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import did_you_mean, fail, listed
from archspec.lang.recipes.losses import LOSSES, CategoricalCrossentropy, Loss
from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.models.keras_class import keras_class
from archspec.runtime.models.metrics import cross_entropy
from archspec.targets import TARGETS, OutputTarget, OutputTargets
from archspec.targets.base import BINARY_LOSSES


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


def training_loss(recipe: Recipe, target: OutputTarget | None = None) -> Losses:
    """The loss that training minimizes, of an output with this target; by default one class for each image."""
    return _losses(output_loss(recipe.loss, target), recipe.label_smoothing, target)


def validation_loss(recipe: Recipe, target: OutputTarget | None = None) -> Losses:
    """The same loss without label smoothing."""
    loss = output_loss(recipe.loss, target)
    plain = {"label_smoothing": 0.0} if hasattr(loss, "label_smoothing") else {}
    return _losses(dataclasses.replace(loss, **plain), 0.0, target)


def output_loss(loss: Loss, target: OutputTarget | None) -> Loss:
    """The loss of an output: that of the recipe if it applies, else the cross-entropy or squared error of its target.

    The default of a recipe, the categorical cross-entropy, is the binary one for a sigmoid output.
    """
    if target is None or target.kind.name == "classes" or loss.name in target.kind.losses:
        return loss
    given = {"label_smoothing": loss.label_smoothing} if isinstance(loss, CategoricalCrossentropy) else {}
    return LOSSES[target.kind.losses[0]].make(given if target.kind.losses == BINARY_LOSSES else {})


def _losses(declared: Loss, smoothing: float, target: OutputTarget | None) -> Losses:
    import keras
    import tensorflow as tf

    kind = target.kind if target else TARGETS["classes"]()
    classes = kind.name == "classes"
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
        wanted = labels
        if not declared.sparse:
            soft = one_hot(tf, labels, logits.shape[-1]) if classes else kind.soft(tf, labels, logits.shape[-1])
            wanted = kind.smoothed(soft, smoothing)
        return loss(wanted, logits if declared.logits else kind.activate(tf, logits))

    return losses


def one_hot(tf: Any, labels: Any, classes: int) -> Any:
    """Labels, int (B,) or float (B, classes), as float32 (B, classes)."""
    return tf.one_hot(labels, classes) if labels.dtype.is_integer else tf.cast(labels, tf.float32)


def class_labels(tf: Any, labels: Any) -> Any:
    """The labels of a target of classes as losses take them: int32 (B,) of float (B, 1), else unchanged."""
    hard = not labels.dtype.is_integer and labels.shape[-1] == 1
    return tf.cast(labels[:, 0], tf.int32) if hard else labels


def total_loss(recipe: Recipe, targets: OutputTargets, loss_weights: Sequence[float]) -> Losses:
    """The loss of a validation, from the scores of all targets side by side: the weighted sum of those of the outputs.

    Of auxiliary classifiers it is the loss of the main output alone.
    """
    import tensorflow as tf

    each = output_losses(recipe, targets, len(targets), training=False)
    if len(targets) == 1:
        return each[0]

    def losses(scores: Any, y: Any) -> Any:
        parts = zip(loss_weights, each, tf.split(scores, targets.units, axis=-1), targets.split(tf, y), strict=True)
        return tf.add_n([weight * loss(own, labels) for weight, loss, own, labels in parts])

    return losses


def output_losses(recipe: Recipe, targets: OutputTargets, heads: int, *, training: bool) -> list[Losses]:
    """The loss of each of the first `heads` outputs: from its scores, and the labels of its target."""
    import tensorflow as tf

    of_target = training_loss if training else validation_loss
    if targets.is_plain:
        return [of_target(recipe)] * heads
    shared = [targets[0]] * heads if len(targets) == 1 else targets[:heads]
    taken = any(target.kind.name != "classes" and recipe.loss.name in target.kind.losses for target in targets)
    of_classes = dataclasses.replace(recipe, loss=CategoricalCrossentropy()) if taken else recipe

    def losses(target: OutputTarget) -> Losses:
        own = of_target(of_classes if target.kind.name == "classes" else recipe, target)
        if target.kind.name != "classes":
            return own
        return lambda scores, labels: own(scores, class_labels(tf, labels))

    return [losses(target) for target in shared]
