"""The network that is exported: a model without its auxiliary outputs, with chosen feature maps as further outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import did_you_mean, fail, listed
from archspec.graph.ir import Graph
from archspec.ops.base import Shape
from archspec.runtime.models.classifier import main_output, scores_of, targets_of_model
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, model_path
from archspec.targets import OutputTarget, OutputTargets
from archspec.transforms import Transform

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ExportedNetwork:
    """A trained network as a format writes it."""

    model: keras.Model
    """(B, *input_shape) -> probabilities or logits (B, classes)."""
    features: keras.Model | None
    """The same input -> a list of the outputs of the layers in `feature_names`; None without any."""
    feature_names: tuple[str, ...]
    """Paths of layers: `stage2/conv1`."""
    metadata: Metadata
    class_names: tuple[str, ...]
    """Their numbers where the model file names none."""
    preprocess: tuple[Transform, ...]
    """From pixel values of 0 to 255 to the input of `model`: those of `metadata`, unless a rewrite contains them."""
    path: Path
    """The model file."""
    targets: OutputTargets
    """Of the outputs; those after the first are in `features`, by their names."""
    graph: Graph | None = None
    """The graph of `model`; None where it is that of the spec, or read from its layers."""
    typical_shape: Shape | None = None
    """The input shape of the trained network, if that of `model` is free."""

    @property
    def input_shape(self) -> Shape:
        """Of one sample."""
        return tuple(self.model.input_shape[1:])

    @cached_property
    def output(self) -> str:
        """`probabilities`, or `logits` where the network ends in no activation; `values` of numbers.

        Of several targets it is the name of the first.
        """
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

    @property
    def target(self) -> OutputTarget:
        """Of the main output."""
        found: OutputTarget = self.targets[0]
        return found

    def as_probabilities(self, main: Any) -> Any:
        """The main output (N, units) as probabilities of `class_names` (N, classes), an array."""
        import numpy as np

        if self.ends_in_scores and self.target.kind.name == "classes":
            shifted = np.exp(main - main.max(axis=1, keepdims=True))
            return shifted / shifted.sum(axis=1, keepdims=True)
        if self.ends_in_scores:
            main = 1 / (1 + np.exp(-main))
        return np.concatenate([1 - main, main], axis=1) if self.target.kind.name == "binary" else main

    def decisions(self, main: Any) -> Any:
        """What the main output (N, units) decides for: (N,) or (N, labels); None of numbers."""
        if not self.target.kind.shares:
            return None
        if self.target.kind.name == "classes":
            return main.argmax(axis=1)
        found = main >= (0 if self.ends_in_scores else 0.5)
        return found[:, 0].astype(int) if self.target.kind.name == "binary" else found

    @property
    def is_of_images(self) -> bool:
        """Whether the input is (height, width, 1 or 3)."""
        return len(self.input_shape) == 3 and self.input_shape[-1] in (1, 3)

    def described(self) -> dict[str, Any]:
        """The metadata with the class names, as in archspec.json of a `.keras` file."""
        return replace(self.metadata, class_names=self.class_names).to_json()

    def main_value(self, inputs: Any) -> Any:
        """The main output of a batch, float32."""
        import keras

        return keras.ops.cast(self.model(inputs, training=False), "float32")

    def feature_values(self, inputs: Any) -> dict[str, Any]:
        """The features of a batch by their paths, float32."""
        import keras

        if self.features is None:
            return {}
        values = self.features(inputs, training=False)
        values = values if isinstance(values, (list, tuple)) else [values]
        return {path: keras.ops.cast(value, "float32") for path, value in zip(self.feature_names, values, strict=True)}


def read_network(source: str | Path, outputs: Sequence[str] = ()) -> ExportedNetwork:
    """The network of a model file, with the layers of these paths as features.

    Raises:
        ArchspecError: those of `load_model`; `no-classifier`, `unknown-layer`.
    """
    import keras

    path = model_path(source)
    loaded, metadata = load_model(path)
    targets = targets_of_model(loaded, metadata)
    scores_of(loaded, targets)  # refuses what has no target
    model = main_output(loaded)  # auxiliary classifiers serve training only (Szegedy et al. 2014, section 5)
    features, kept = features_of(model, outputs), tuple(outputs)
    if len(targets) > 1:
        kept = tuple(target.name for target in targets[1:])
        features = keras.Model(loaded.inputs[0], loaded.outputs[1 : len(targets)])
    units = 2 if targets[0].kind.name == "binary" else targets[0].units
    names = metadata.class_names or targets[0].class_names or tuple(map(str, range(units)))
    return ExportedNetwork(model, features, kept, metadata, names, metadata.preprocess, path, targets)


def features_of(model: Any, paths: Sequence[str]) -> Any:
    """The keras.Model from the input to the outputs of layers. Raises ArchspecError: `unknown-layer`."""
    import keras

    if not paths:
        return None
    layers = {layer.name: layer for layer in model.layers}
    for path in paths:
        if path.replace("/", ".") not in layers:
            known = [name.replace(".", "/") for name in layers]
            raise fail(
                "unknown-layer",
                f"the network has no layer `{path}` before its main output",
                help=did_you_mean(path, known) or f"its layers are: {listed(known, 12)}",
            )
    return keras.Model(model.inputs[0], [layers[path.replace("/", ".")].output for path in paths])
