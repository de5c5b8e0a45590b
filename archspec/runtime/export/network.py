"""The network that is exported: a model without its auxiliary outputs, with chosen feature maps as further outputs."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.diagnostics import listed, visible
from archspec.graph.ir import Graph, unused_name
from archspec.ops.base import Shape, show
from archspec.runtime.export.export_format import INPUT, PIXELS, PREPROCESSED, VALUES
from archspec.runtime.models.classifier import scores_of
from archspec.runtime.models.metadata import Metadata
from archspec.targets import OutputTarget, OutputTargets
from archspec.transforms import Transform

if TYPE_CHECKING:
    import keras

LINE_SEPARATORS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""Where `str.splitlines` and readers in other languages end a line."""


@dataclass(frozen=True)
class ExportedNetwork:
    """A trained network as a format writes it."""

    model: keras.Model
    """The inputs -> the main output: of a classifier, probabilities or logits (B, classes)."""
    features: keras.Model | None
    """The same inputs -> a list of the further outputs, those in `feature_names`; None without any."""
    feature_names: tuple[str, ...]
    """Paths of layers, `stage2/conv1`, or names of outputs."""
    metadata: Metadata
    class_names: tuple[str, ...]
    """Their numbers where the model file names none; () for a network without targets."""
    preprocess: tuple[Transform, ...]
    """From pixel values of 0 to 255 to the input of `model`: those of `metadata`, unless a rewrite contains them."""
    path: Path
    """The model file."""
    targets: OutputTargets
    """Of the outputs; those after the first are in `features`, by their names. Empty for a network that is no
    classifier or predictor of numbers, or has several inputs: its outputs are values."""
    graph: Graph | None = None
    """The graph of `model`; None where it is that of the spec, or read from its layers."""
    typical_shape: Shape | None = None
    """The input shape of the trained network, if that of `model` is free."""
    main_name: str = ""
    """Of the main output, for a network without targets."""
    several_outputs: bool = False
    """Whether `feature_names` are outputs of the network itself, which every function returns."""

    # ---- inputs -------------------------------------------------------------------------------------------------

    @cached_property
    def input_shapes(self) -> dict[str, Shape]:
        """Of one sample, by the names of the inputs: `images` for images, else as in the spec with `_` for `-`."""
        names = [INPUT] if self.is_of_images else input_names(self.model)
        shapes = [tuple(tensor.shape[1:]) for tensor in self.model.inputs]
        return dict(zip(names, shapes, strict=True))

    @property
    def input_shape(self) -> Shape:
        """Of one sample, of the first input."""
        return tuple(self.model.inputs[0].shape[1:])

    @property
    def is_of_images(self) -> bool:
        """Whether the only input is (height, width, 1 or 3)."""
        return len(self.model.inputs) == 1 and len(self.input_shape) == 3 and self.input_shape[-1] in (1, 3)

    def content(self, *, takes_pixels: bool) -> str:
        """What `serving_default` takes, in a format that takes pixels or another one."""
        if not self.is_of_images and not self.preprocess:
            return VALUES
        return PIXELS if takes_pixels else PREPROCESSED

    @property
    def without_images(self) -> str | None:
        """Why no function takes image files, in one sentence; None where one can."""
        if len(self.model.inputs) > 1:
            return f"the network has the inputs {listed(f'`{name}`' for name in self.input_shapes)}"
        if not self.is_of_images:
            return f"the input {show(self.input_shape)} is no image"
        return "the network takes images of any size" if None in self.input_shape else None

    # ---- outputs ------------------------------------------------------------------------------------------------

    @cached_property
    def output(self) -> str:
        """`probabilities`, or `logits` where the network ends in no activation; `values` of numbers.

        Of several targets or outputs it is the name of the first.
        """
        if not self.targets:
            return self.main_name
        first = self.targets[0]
        if len(self.targets) > 1:
            return str(first.name)
        if not first.kind.shares:
            return "values"
        return "logits" if self.ends_in_scores else "probabilities"

    @cached_property
    def ends_in_scores(self) -> bool:
        """Whether the main output has no activation."""
        return scores_of(self.model, OutputTargets(self.targets[:1])) is self.model

    @cached_property
    def output_shapes(self) -> dict[str, Shape]:
        """Of one sample, by name: the main output, then those of `features`."""
        tensors = [self.model.outputs[0], *(() if self.features is None else self.features.outputs)]
        names = (self.output, *self.feature_names)
        return {name: tuple(tensor.shape[1:]) for name, tensor in zip(names, tensors, strict=True)}

    @cached_property
    def whole(self) -> keras.Model:
        """The inputs -> the main output, and those of `features`: a list where there are several."""
        import keras

        if self.features is None:
            return self.model
        outputs = [self.model.outputs[0], *self.features.outputs]
        return keras.Model(entering(self.model), outputs, name=self.model.name)

    @property
    def target(self) -> OutputTarget | None:
        """Of the main output; None where its values have no meaning that archspec knows."""
        return self.targets[0] if self.targets else None

    @property
    def target_kind(self) -> str:
        """The name of the kind of the only target; empty without targets and of several outputs."""
        return "" if self.several_outputs or self.target is None else self.target.kind.name

    @property
    def ranks_classes(self) -> bool:
        """Whether `serve_images` returns ranked classes with probabilities, instead of the outputs by their names."""
        return self.target is not None and self.target.kind.shares and not self.several_outputs

    @property
    def of_classes(self) -> frozenset[str]:
        """The outputs that are classes or labels: probabilities or logits. The others are values."""
        names = [self.output, *(target.name for target in self.targets[1:])] if self.targets else []
        return frozenset(name for name, target in zip(names, self.targets, strict=True) if target.kind.shares)

    def as_probabilities(self, main: Any) -> Any:
        """The main output (N, units) as probabilities of `class_names` (N, classes), an array."""
        kind = "" if self.target is None else self.target.kind.name
        if self.ends_in_scores and kind == "classes":
            shifted = np.exp(main - main.max(axis=1, keepdims=True))
            return shifted / shifted.sum(axis=1, keepdims=True)
        if self.ends_in_scores:
            main = 1 / (1 + np.exp(-main))
        return np.concatenate([1 - main, main], axis=1) if kind == "binary" else main

    def decisions(self, main: Any) -> Any:
        """What the main output (N, units) decides for: (N,) or (N, labels); None of numbers and other values."""
        if self.target is None or not self.target.kind.shares:
            return None
        if self.target.kind.name == "classes":
            return main.argmax(axis=1)
        found = main >= (0 if self.ends_in_scores else 0.5)
        return found[:, 0].astype(int) if self.target.kind.name == "binary" else found

    def described(self) -> dict[str, Any]:
        """The metadata with the class names, as in archspec.json of a `.keras` file."""
        return self.named_metadata.to_json()

    @property
    def class_lines(self) -> tuple[str, ...]:
        """The class names for a list with one a line: line separators in a name are escaped, as in Python."""
        return tuple(LINE_SEPARATORS.sub(lambda found: visible(found[0]), name) for name in self.class_names)

    @property
    def named_metadata(self) -> Metadata:
        """The metadata with the class names."""
        return replace(self.metadata, class_names=self.class_names or None)

    def values(self, inputs: Any) -> dict[str, Any]:
        """All outputs of a batch by their names, float32.

        Args:
            inputs: an array or tensor (B, ...); of several inputs a list, or an array with a field for each.
        """
        import keras

        found = self.whole(self.arguments(self.whole, inputs), training=False)
        outputs = found if isinstance(found, (list, tuple)) else [found]
        return {name: keras.ops.cast(value, "float32") for name, value in zip(self.output_shapes, outputs, strict=True)}

    def main_value(self, inputs: Any) -> Any:
        """The main output of a batch, float32."""
        import keras

        return keras.ops.cast(self.model(self.arguments(self.model, inputs), training=False), "float32")

    def arguments(self, model: keras.Model, inputs: Any) -> Any:
        """The inputs of `values` in the structure that a Keras model of these inputs takes: bare, a list or a dict."""
        import keras

        given = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        if isinstance(inputs, np.ndarray) and inputs.dtype.names is not None:
            given = [np.ascontiguousarray(inputs[name]) for name in self.input_shapes]
        return keras.tree.pack_sequence_as(model.input, list(given))


def entering(model: Any) -> Any:
    """The input of a Keras model, or the list of its inputs."""
    return model.inputs[0] if len(model.inputs) == 1 else list(model.inputs)


def input_names(model: Any) -> list[str]:
    """The names of the inputs, with `_` for `-`, and `input_` before what Python cannot have as an argument.

    `input` where Keras made a name: its number depends on the models that were built before.
    """
    found: list[str] = []
    for tensor in model.inputs:
        word = re.sub(r"\W", "_", re.sub(r"^(input_layer|keras_tensor)(_\d+)?$", "input", tensor.name), flags=re.ASCII)
        possible = word[:1].isalpha() and word != "self" and not keyword.iskeyword(word)  # as TensorFlow demands
        found.append(unused_name(word if possible else f"input_{word}", found))
    return found


def together(inputs: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Arrays (B, ...) of several inputs as one array (B,) with a field for each; that of a single input as it is."""
    if len(inputs) == 1:
        return next(iter(inputs.values()))
    fields = [(name, each.dtype, each.shape[1:]) for name, each in inputs.items()]
    found = np.empty(len(next(iter(inputs.values()))), fields)
    for name, each in inputs.items():
        found[name] = each
    return found
