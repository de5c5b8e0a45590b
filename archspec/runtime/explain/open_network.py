"""A trained network whose layers can be read, and whose gradients can be taken at any layer.

The network is run call by call, so that a layer's output can be replaced, and the backward pass of an activation
changed, without another copy of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import did_you_mean, fail, listed
from archspec.ops.base import show
from archspec.runtime.explain.backward_rules import PLAIN, BackwardRule, with_activation
from archspec.runtime.explain.classifier_end import ClassifierEnd, classifier_end
from archspec.runtime.explain.default_layer import last_spatial_layer
from archspec.runtime.explain.open_layer import Array, OpenLayer, block_paths, token_counts
from archspec.runtime.explain.target_classes import TargetClasses, target_classes
from archspec.runtime.models.keras_graph import Call, keras_graph
from archspec.runtime.models.metadata import Metadata


class OpenNetwork:
    """A network with one image input. Of several outputs the first one is explained.

    Args:
        model: a functional keras.Model.
        metadata: of its file; its preprocessing and the spec, by which layers are named.
        class_names: one for each output.

    Raises:
        ArchspecError: `not-functional`; `several-inputs`.
    """

    def __init__(self, model: Any, metadata: Metadata, class_names: tuple[str, ...] = ()) -> None:
        self.model, self.metadata, self.class_names = model, metadata, class_names
        if len(model.inputs) != 1:
            fact = f"the network has {len(model.inputs)} inputs, but an explanation needs one image"
            raise fail("several-inputs", fact, help="give a network with a single image input")
        self.batch_size = 32
        """Copies of one image, or steps between two, that run together."""
        self.graph = keras_graph(model)
        self.input_shape: tuple[int | None, ...] = tuple(model.inputs[0].shape[1:])
        self._functions: dict[object, Any] = {}

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls of all layers, in the order in which they run."""
        return self.graph.calls

    @cached_property
    def places(self) -> tuple[OpenLayer, ...]:
        """All layers in the order in which they run. A layer that is used again has the path `conv1#2`."""
        seen: dict[str, int] = {}
        found: list[OpenLayer] = []
        patches: tuple[int, int] | None = None  # of the last map, from which tokens are made
        for index, call in enumerate(self.calls):
            path = call.path.replace(".", "/") if self.metadata.spec is not None else call.path
            seen[path] = number = seen.get(path, 0) + 1
            if len(call.shape) == 3 and call.shape[0] and call.shape[1]:
                patches = (call.shape[0], call.shape[1])
            is_grid = len(call.shape) == 2 and patches is not None and call.shape[0] in token_counts(patches)
            grid = patches if is_grid else None
            found.append(OpenLayer(index, path if number == 1 else f"{path}#{number}", call.shape, grid))
        return tuple(found)

    def place(self, path: str, *, spatial: bool = False) -> OpenLayer:
        """The layer of a path, in the form of archspec (`stage2/conv1`) or of Keras (`stage2.conv1`).

        The path of a block is its output: the last layer in it.

        Raises:
            ArchspecError: `unknown-layer`; with `spatial`, `not-spatial` for a layer whose output is not a map.
        """
        by_path = {each.path: each for each in self.places}
        within = [each for each in self.places if each.path.startswith(f"{path.rstrip('/')}/")]
        found = by_path.get(path) or by_path.get(path.replace(".", "/")) or (within[-1] if within else None)
        if found is None:
            raise fail(
                "unknown-layer",
                f"the network has no layer `{path}`",
                notes=[self._spatial_note()],
                help=did_you_mean(path, [*block_paths(by_path), *by_path]),
            )
        if spatial and not found.is_spatial:
            fact = f"the output of `{found.path}` is {show(found.shape)}, which has no spatial extent"
            raise fail("not-spatial", fact, notes=[self._spatial_note()], help="choose one of these layers")
        return found

    def _spatial_note(self) -> str:
        import keras

        layers = [
            each
            for each in self.places[1:]
            if each.is_spatial and isinstance(self.calls[each.call].operation, keras.Layer)
        ]
        names = [f"{each.path} {show(each.shape)}" for each in reversed(layers)]
        return (
            f"layers with spatial extent, the last one first: {listed(names, 10)}"
            if names
            else "no layer has spatial extent"
        )

    @cached_property
    def last_spatial(self) -> OpenLayer:
        """The layer that methods of layers explain by default. Raises ArchspecError: `not-spatial`."""
        return last_spatial_layer(self)

    def ancestors(self, wanted: Sequence[int], known: Sequence[int] = ()) -> set[int]:
        """The calls that these depend on, themselves included, up to those that are known."""
        found, waiting = set(), [*wanted]
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                if index not in known:
                    waiting += [source for source, _ in self.calls[index].inputs]
        return found

    def run(
        self,
        known: Mapping[int, Any],
        wanted: Sequence[int],
        rule: BackwardRule = PLAIN,
        *,
        without_activation: int | None = None,
    ) -> list[Any]:
        """The outputs of the calls `wanted` from those of the calls `known`, in inference.

        Args:
            known: call -> tensor with the batch axis; the input of the network is `self.graph.inputs[0]`.
            rule: changes what activations and normalizations do with a gradient; values never change.
            without_activation: a call of a layer that is run without the activation in it.
        """
        values: dict[tuple[int, int], Any] = {(index, 0): value for index, value in known.items()}
        needed = self.ancestors(wanted, tuple(known))
        skipped = rule.skipped(self) if rule is not PLAIN else {}
        for index in sorted(needed - known.keys()):
            call = self.calls[index]
            tensors = {
                id(tensor): values[source] for tensor, source in zip(call.node.input_tensors, call.inputs, strict=True)
            }
            args, kwargs = call.node.arguments.fill_in(tensors)
            if getattr(call.operation, "_call_has_training_arg", False) and kwargs.get("training") is None:
                kwargs["training"] = False
            if index == without_activation:
                outputs = with_activation(call.operation, None, args, kwargs)
            else:
                outputs = rule.apply(call.operation, args, kwargs)
            if index in skipped:
                outputs = rule.skip(values[skipped[index]], outputs)
            for number, output in enumerate(outputs if isinstance(outputs, (list, tuple)) else [outputs]):
                values[index, number] = output
        return [values[index, 0] for index in wanted]

    @cached_property
    def end(self) -> ClassifierEnd:
        """Where the logits are. Raises ArchspecError: `no-classifier`, for methods that need a class."""
        return classifier_end(self.graph)

    @property
    def classes(self) -> int:
        """The number of classes: two for a single sigmoid unit, otherwise the channels of the output."""
        units = int(self.model.outputs[0].shape[-1])
        return 2 if units == 1 else units

    @property
    def output_note(self) -> str:
        """Which of several outputs is explained; empty for a network with one."""
        if len(self.model.outputs) == 1:
            return ""
        count, first = len(self.model.outputs), self.model.output_names[0]
        return f"the network has {count} outputs: the first one, `{first}`, is explained"

    def targets(self, texts: Sequence[str]) -> TargetClasses:
        """The classes that `--class` chooses. Raises ArchspecError: `no-classifier`, `unknown-class`."""
        self.end  # noqa: B018  # raises before an image is read
        return target_classes(texts, self.class_names)

    def input_index(self) -> int:
        """The call of the network's input."""
        return self.graph.inputs[0]

    def scores(self, tf: Any, known: Mapping[int, Any], rule: BackwardRule = PLAIN) -> tuple[Any, Any]:
        """Logits and probabilities, float32 (B, classes) each. Of maps of classes both are means over the positions."""
        (logits,) = self.run(known, [self.end.index], rule, without_activation=self.end.strips)
        return self.end.scores(tf, tf.cast(logits, tf.float32))

    def compiled(self, tf: Any, key: object, make: Callable[[Any], Any]) -> Any:
        """`make(tf)`, a tf.function, made once for each key."""
        if key not in self._functions:
            function = self._functions[key] = make(tf)
            # each network has functions of its own: TensorFlow takes the fifth for one that is traced too often
            function._omit_frequent_tracing_warning = True
        return self._functions[key]

    def signature(self, tf: Any) -> Any:
        """Of a batch of inputs."""
        return tf.TensorSpec((None, *self.input_shape), tf.float32)

    def predict(self, x: Array) -> tuple[Array, Array]:
        """Logits and probabilities (B, classes) of inputs (B, H, W, C)."""
        import tensorflow as tf

        def make(tf: Any) -> Any:
            @tf.function(autograph=False, input_signature=[self.signature(tf)])  # type: ignore[untyped-decorator]
            def forward(x: Any) -> Any:
                return self.scores(tf, {self.input_index(): x})

            return forward

        logits, probabilities = self.compiled(tf, "predict", make)(x)
        return logits.numpy(), probabilities.numpy()

    def activations(self, x: Array, place: OpenLayer) -> Array:
        """The output of a layer (B, ...) for inputs (B, H, W, C)."""
        import tensorflow as tf

        def make(tf: Any) -> Any:
            @tf.function(autograph=False, input_signature=[self.signature(tf)])  # type: ignore[untyped-decorator]
            def forward(x: Any) -> Any:
                return tf.cast(self.run({self.input_index(): x}, [place.call])[0], tf.float32)

            return forward

        values: Array = self.compiled(tf, ("activations", place.call), make)(x).numpy()
        return values

    def input_gradient(
        self, x: Array, classes: npt.NDArray[np.integer[Any]], rule: BackwardRule = PLAIN
    ) -> tuple[Array, Array]:
        """The logit of one class of each image (B,), and its gradient with respect to the input (B, H, W, C).

        Args:
            classes: class numbers (B,).
        """
        import tensorflow as tf

        def make(tf: Any) -> Any:
            signature = [self.signature(tf), tf.TensorSpec((None,), tf.int32)]

            @tf.function(autograph=False, input_signature=signature)  # type: ignore[untyped-decorator]
            def gradient(x: Any, classes: Any) -> Any:
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    logits, _ = self.scores(tf, {self.input_index(): x}, rule)
                    chosen = tf.gather(logits, classes, batch_dims=1)
                return chosen, tape.gradient(chosen, x, unconnected_gradients="zero")

            return gradient

        chosen, gradient = self.compiled(tf, ("input_gradient", rule.name), make)(x, np.asarray(classes, np.int32))
        return chosen.numpy(), gradient.numpy()

    def layer_gradients(self, x: Array, place: OpenLayer, classes: npt.NDArray[np.integer[Any]]) -> tuple[Array, Array]:
        """The output of a layer (B, ...), and the gradients of k logits with respect to it (k, B, ...).

        One forward pass for all classes; only the layers after `place` run backward.

        Args:
            classes: class numbers (B, k).
        """
        import tensorflow as tf

        count = classes.shape[1]

        def make(tf: Any) -> Any:
            signature = [self.signature(tf), tf.TensorSpec((None, count), tf.int32)]

            @tf.function(autograph=False, input_signature=signature)  # type: ignore[untyped-decorator]
            def gradients(x: Any, classes: Any) -> Any:
                return self._layer_gradients(tf, x, place, lambda probabilities: classes, count)[:2]

            return gradients

        function = self.compiled(tf, ("layer_gradients", place.call, count), make)
        features, found = function(x, np.asarray(classes, np.int32))
        return features.numpy(), found.numpy()

    def class_gradients(
        self, x: Array, place: OpenLayer, targets: TargetClasses
    ) -> tuple[Array, Array, Array, Array, npt.NDArray[np.int32]]:
        """As `layer_gradients`, for classes that are chosen by their probabilities in the same forward pass.

        Returns them with logits and probabilities (B, classes), and class numbers (B, k).
        """
        import tensorflow as tf

        count = targets.top + len(targets.fixed)

        def make(tf: Any) -> Any:
            signature = [self.signature(tf), tf.TensorSpec((len(targets.fixed),), tf.int32)]

            @tf.function(autograph=False, input_signature=signature)  # type: ignore[untyped-decorator]
            def gradients(x: Any, fixed: Any) -> Any:
                def choose(probabilities: Any) -> Any:
                    best = tf.math.top_k(probabilities, targets.top).indices
                    return tf.concat([best, tf.tile(fixed[None], (tf.shape(best)[0], 1))], 1)

                return self._layer_gradients(tf, x, place, choose, count)

            return gradients

        function = self.compiled(tf, ("class_gradients", place.call, targets.top, len(targets.fixed)), make)
        found = function(x, np.array(targets.fixed, np.int32))
        found = tuple(each.numpy() for each in found)
        return found[0], found[1], found[2], found[3], found[4]

    def _layer_gradients(self, tf: Any, x: Any, place: OpenLayer, choose: Callable[[Any], Any], count: int) -> Any:
        """Features, gradients of `count` logits, logits, probabilities and the class numbers that `choose` returns."""
        (features,) = self.run({self.input_index(): x}, [place.call])
        with tf.GradientTape(persistent=count > 1) as tape:
            tape.watch(features)
            known = {self.input_index(): x, place.call: features}  # branches may go around the layer
            logits, probabilities = self.scores(tf, known)
            classes = choose(probabilities)
            chosen = tf.unstack(tf.gather(logits, classes, batch_dims=1), count, axis=1)
        found = [tape.gradient(each, features, unconnected_gradients="zero") for each in chosen]
        gradients = tf.cast(tf.stack(found), tf.float32)
        return tf.cast(features, tf.float32), gradients, logits, probabilities, classes

    def unit_gradient(self, x: Array, place: OpenLayer, seed: Array, rule: BackwardRule = PLAIN) -> Array:
        """The gradient of sum(seed * output of a layer) with respect to the input (B, H, W, C).

        Args:
            seed: what is sent back from each unit of the layer (B, ...).
        """
        import tensorflow as tf

        def make(tf: Any) -> Any:
            signature = [self.signature(tf), tf.TensorSpec((None, *place.shape), tf.float32)]

            @tf.function(autograph=False, input_signature=signature)  # type: ignore[untyped-decorator]
            def gradient(x: Any, seed: Any) -> Any:
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    (output,) = self.run({self.input_index(): x}, [place.call], rule)
                return tape.gradient(output, x, tf.cast(seed, output.dtype), unconnected_gradients="zero")

            return gradient

        found: Array = self.compiled(tf, ("unit_gradient", place.call, rule.name), make)(x, seed).numpy()
        return found
