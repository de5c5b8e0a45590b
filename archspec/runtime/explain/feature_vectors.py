"""One feature vector for each image: the output of a layer, averaged over its positions."""

from __future__ import annotations

from archspec.declare import arg
from archspec.diagnostics import ArchspecError
from archspec.runtime.explain.explain_method import TEXT
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.map_scaling import Array
from archspec.runtime.explain.open_layer import OpenLayer
from archspec.runtime.explain.open_network import OpenNetwork

VECTOR_LAYER = arg(TEXT, "path of the layer; by default the one that the classifier reads", None)


def vector_layer(network: OpenNetwork, path: str | None) -> OpenLayer:
    """The layer of that path, or the one that the layer of the logits reads; the output of a network without classes.

    Raises:
        ArchspecError: `unknown-layer`.
    """
    if path is not None:
        return network.place(path)
    try:
        source = network.calls[network.end.index].inputs[0][0]
    except ArchspecError:
        source = network.graph.outputs[0][0]
    return next(each for each in network.places if each.call == source)


def feature_vectors(network: OpenNetwork, batch: ImageBatch, place: OpenLayer) -> Array:
    """Features (B, C) of a batch: the means of the feature maps, or the output of a layer of vectors."""
    features = network.activations(batch.x, place)
    vectors: Array = features.reshape(len(batch), -1, features.shape[-1]).mean(axis=1)
    return vectors
