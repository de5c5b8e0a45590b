"""Build a model of Keras 2 from its configuration: what `model.save` of TensorFlow 2.15 and earlier wrote as JSON.

Keras 3 refuses most of these: layers have arguments that it removed, functions of TensorFlow are layers (TFOpLambda),
and classes have other modules. Only stock layers of Keras are built; no code in a configuration is run.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from archspec.runtime.models.keras2.functions import OPERATIONS, UnsupportedError

DROPPED = ("_initializer", "_regularizer", "_constraint")
"""Ends of arguments that do not matter once the weights are loaded."""
IGNORED = {
    *("batch_input_shape", "dtype", "trainable", "sparse", "ragged", "optional", "rng_type", "implementation", "fused"),
    *("virtual_batch_size", "adjustment", "renorm_clipping", "renorm_momentum", "input_dtype", "autocast", "input_dim"),
    *("input_shape", "experimental_experimental_relayout", "force_generator"),
}
"""Arguments of Keras 2 without an effect on the outputs at inference, or that the weights and the input replace."""
DEFAULTS = {
    "groups": 1, "renorm": False, "time_major": False, "interpolation_antialias": False, "keepdims": False,
    "unroll": False, "stateful": False, "zero_output_for_mask": False,
}  # fmt: skip
"""Arguments that Keras 3 does not have for each layer, and the value that means the same as none."""
RENAMED = {
    "Model": "Functional",
    "Convolution2D": "Conv2D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "ThresholdedReLU": "ReLU",
}
ACTIVATIONS = {"softmax_v2": "softmax", "relu_v2": "relu"}
MODELS = ("Sequential", "Functional")
MAX_DEPTH = 20


class UnknownLayerError(ValueError):
    """A layer that cannot be built: its class and name, and why. `code` is set for a layer that holds Python code."""

    def __init__(self, kind: str, name: str, reason: str, *, code: bool = False) -> None:
        super().__init__(f"the layer `{name}` ({kind}): {reason}")
        self.kind, self.name, self.reason, self.code = kind, name, reason, code


def is_keras2(config: Any, version: str | None = None) -> bool:
    """Whether a configuration was written by Keras 1 or 2: by its version, or by the form of its layers."""
    if version:
        return version.partition(".")[0] in ("1", "2")
    if not isinstance(config, dict):
        return False
    inner = config.get("config")
    layers = inner if isinstance(inner, list) else inner.get("layers") if isinstance(inner, dict) else None
    return isinstance(layers, list) and any(
        isinstance(layer, dict)
        and isinstance(layer.get("config"), dict)
        and ("batch_input_shape" in layer["config"] or ".engine." in str(layer.get("module")))
        for layer in layers
    )


def build(config: Any, depth: int = 0) -> Any:
    """The keras.Model of a configuration, with initial weights.

    Raises:
        UnknownLayerError: a layer that Keras 3 does not have.
        ValueError, TypeError, KeyError, IndexError, AttributeError: the configuration is damaged.
    """
    kind = RENAMED.get(config["class_name"], config["class_name"])
    inner = config["config"]
    if depth > MAX_DEPTH:
        raise ValueError("its models are nested too deeply")
    if kind == "Sequential":
        layers, name = (inner, None) if isinstance(inner, list) else (inner["layers"], inner.get("name"))
        return _sequential(layers, name, depth)
    if kind != "Functional":
        raise UnknownLayerError(kind, str(inner.get("name")), "it is a class of its own, whose code is not in the file")
    return _functional(inner, depth)


def _sequential(layers: list[Any], name: str | None, depth: int) -> Any:
    import keras

    first = layers[0]["config"]
    shape = first.get("batch_input_shape", first.get("batch_shape"))
    if shape is None and layers[0]["class_name"] in (*MODELS, "Model"):
        inside = layers[0]["config"]
        inside = inside if isinstance(inside, list) else inside["layers"]
        shape = inside[0]["config"].get("batch_input_shape", inside[0]["config"].get("batch_shape"))
    if shape is None:
        raise ValueError("it does not have the shape of its input")
    model = keras.Sequential(name=name)
    model.add(keras.Input(batch_shape=tuple(shape)))
    for layer in layers:
        if layer["class_name"] != "InputLayer":
            model.add(_layer(layer, depth))
    return model


def _functional(inner: Mapping[str, Any], depth: int) -> Any:
    import keras

    tensors: dict[tuple[str, int], list[Any]] = {}
    calls = []
    for entry in inner["layers"]:
        name = entry.get("name") or entry["config"]["name"]
        if entry["class_name"] == "InputLayer":
            shape = entry["config"].get("batch_input_shape", entry["config"].get("batch_shape"))
            tensors[name, 0] = [keras.Input(batch_shape=tuple(shape), name=name)]
            continue
        layer = None if entry["class_name"] in ("TFOpLambda", "SlicingOpLambda") else _layer(entry, depth)
        start = int(entry["class_name"] in (*MODELS, "Model"))  # the first call of a model is its own
        calls += [(name, number + start, entry, layer, node) for number, node in enumerate(entry["inbound_nodes"])]
    while calls:
        waiting = []
        for name, number, entry, layer, node in calls:
            if any(tuple(place[:2]) not in tensors for place in _places(node)):
                waiting.append((name, number, entry, layer, node))
                continue
            result = _call(entry, layer, node, tensors)
            tensors[name, number] = list(result) if isinstance(result, (list, tuple)) else [result]
        if len(waiting) == len(calls):
            raise ValueError(f"the layer `{calls[0][0]}` reads a layer that does not exist")
        calls = waiting
    inputs, outputs = (
        [tensors[name, node][output] for name, node, output in _sources(inner[key])]
        for key in ("input_layers", "output_layers")
    )
    model = keras.Model(
        inputs[0] if len(inputs) == 1 else inputs, outputs[0] if len(outputs) == 1 else outputs, name=inner.get("name")
    )
    if inner.get("trainable") is False:
        model.trainable = False
    return model


def _sources(node: Any) -> list[Any]:
    """The inputs of a call: [name, node, output, arguments] each. A single one is not in a list of its own."""
    return [node] if node and isinstance(node[0], str) else list(node)


def _is_place(value: Any) -> bool:
    """Whether an argument of a call is the output of a layer: [name, node, output]."""
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(number, int) for number in value[1:3])
    )


def _places(node: Any) -> list[Any]:
    found = []
    for source in _sources(node):
        found.append(source)
        found += [value for value in (source[3] if len(source) > 3 else {}).values() if _is_place(value)]
    return found


def _call(entry: Mapping[str, Any], layer: Any, node: Any, tensors: Mapping[tuple[str, int], list[Any]]) -> Any:
    sources = _sources(node)
    values = [tensors[name, number][output] for name, number, output, *_ in sources]
    arguments = {
        word: tensors[value[0], value[1]][value[2]] if _is_place(value) else value
        for word, value in (sources[0][3] if len(sources[0]) > 3 else {}).items()
    }
    if layer is not None:
        return layer(values[0] if len(values) == 1 else values)
    function, name = str(entry["config"].get("function")), str(entry["config"].get("name"))
    operation = OPERATIONS.get(function)
    if operation is None:
        raise UnknownLayerError(f"tf.{function}", name, "it is a function of TensorFlow, which Keras 3 cannot save")
    arguments.pop("name", None)
    try:
        return operation(values if len(values) > 1 else values[0], arguments)
    except (KeyError, IndexError) as error:
        raise UnknownLayerError(f"tf.{function}", name, f"its argument {error} is missing") from error
    except UnsupportedError as error:
        raise UnknownLayerError(f"tf.{function}", name, str(error)) from error


def _layer(entry: Mapping[str, Any], depth: int) -> Any:
    """One layer, or a nested model."""
    import keras

    kind = RENAMED.get(entry["class_name"], entry["class_name"])
    given = entry["config"]
    if kind in MODELS:
        return build(entry, depth + 1)
    name = str(given.get("name"))
    if kind == "Lambda":
        raise UnknownLayerError(kind, name, "it contains Python code", code=True)
    own = keras.saving.get_registered_object(entry.get("registered_name") or kind)
    if own is not None:
        return own.from_config(dict(given))
    found: Any = getattr(keras.layers, kind, None)
    custom = entry.get("registered_name") not in (None, kind) or not str(entry.get("module") or "keras").split(".")[
        0
    ].endswith("keras")
    if custom or not inspect.isclass(found):
        raise UnknownLayerError(str(entry.get("registered_name") or kind), name, "it is not a layer of Keras")
    arguments = _arguments(found, kind, name, given)
    if entry["class_name"] == "ThresholdedReLU":
        arguments["threshold"] = arguments.pop("theta", 1.0)
    layer: Any = found(**arguments)
    layer.trainable = bool(given.get("trainable", True))
    return layer


def _arguments(found: Any, kind: str, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    known = set(inspect.signature(found.__init__).parameters) | {"name"}
    arguments = {}
    for word, value in given.items():
        if word in IGNORED or word.endswith(DROPPED):
            continue
        if word in known:
            arguments[word] = _value(kind, name, word, value)
        elif word in ("alpha", "theta") and kind in ("LeakyReLU", "ReLU"):
            arguments["negative_slope" if word == "alpha" else word] = value
        elif not (word in DEFAULTS and DEFAULTS[word] == value) and value is not None:
            raise UnknownLayerError(kind, name, f"Keras 3 has no argument `{word}` for it")
    return arguments


def _value(kind: str, name: str, word: str, value: Any) -> Any:
    if word == "axis" and kind == "BatchNormalization" and isinstance(value, list):
        (value,) = value
    if word == "layer":
        return _layer(value, MAX_DEPTH)
    if isinstance(value, dict):
        inner = value.get("config")
        if word == "activation" and isinstance(inner, str):  # {"class_name": "function", "config": "relu"}
            return _value(kind, name, word, inner)
        if word == "activation" and value.get("class_name") in ("ReLU", "LeakyReLU", "Softmax", "ELU", "PReLU"):
            return _layer(value, MAX_DEPTH)
        raise UnknownLayerError(kind, name, f"its `{word}` is a {value.get('class_name')}")
    if word == "activation" and isinstance(value, str):
        import keras

        value = ACTIVATIONS.get(value, value)
        if not hasattr(keras.activations, value):
            raise UnknownLayerError(kind, name, f"its activation `{value}` is not a function of Keras")
    return tuple(value) if isinstance(value, list) and kind != "Normalization" else value
