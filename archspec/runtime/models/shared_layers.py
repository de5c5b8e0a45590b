"""Layers that use the weights of another layer (`share`): the Keras layer of the other one is called again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.graph.ir import Node


class SharedKeras:
    """Stands for the module `keras` in the `build` of an operator whose layer `name` shares the weights of `owner`.

    Keras layers with weights are those that `owner` consists of; others are new, and named after `name`. `made` has the
    layers of the model so far, by name.
    """

    def __init__(self, keras: Any, owner: str, name: str, made: Mapping[str, Any]) -> None:
        self._keras, self._owner, self._name, self._made = keras, owner, name, made
        self.layers = _Layers(self)

    def __getattr__(self, word: str) -> Any:
        return getattr(self._keras, word)

    def layer(self, kind: str, *values: Any, name: str, **options: Any) -> Any:
        """The existing layer of that name if it has weights, else a new one."""
        found = self._made.get(name)
        if found is not None and found.weights:
            return found
        return getattr(self._keras.layers, kind)(*values, name=self._name + name[len(self._owner) :], **options)


class _Layers:
    def __init__(self, shared: SharedKeras) -> None:
        self._shared = shared

    def __getattr__(self, kind: str) -> Any:
        return lambda *values, **options: self._shared.layer(kind, *values, **options)


def call_shared(keras: Any, node: Node, inputs: list[Any], made: Mapping[str, Any]) -> Any:
    """The output of a layer that uses the weights of `node.shared`; the last Keras layer is called as the node is."""
    owner = (node.shared or "").replace("/", ".")
    shared = SharedKeras(keras, owner, node.keras_name, made)
    output = node.op.build(shared, owner)(*inputs)
    last = output._keras_history.operation
    # a layer of this name, whose output is that of this call
    return output if last.name == node.keras_name else keras.layers.Identity(name=node.keras_name)(output)
