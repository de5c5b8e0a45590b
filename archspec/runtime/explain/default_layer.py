"""The layer that is explained where none is named: the last one with spatial extent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.diagnostics import ArchspecError, fail
from archspec.runtime.explain.open_layer import OpenLayer

if TYPE_CHECKING:
    from archspec.runtime.explain.open_network import OpenNetwork


def last_spatial_layer(network: OpenNetwork) -> OpenLayer:
    """The last layer with spatial extent that the classes depend on, before the global pooling or flatten.

    That is after batch normalization, addition and ReLU: the rectified map that Selvaraju et al. 2017 mean. In a fully
    convolutional network it is the last one before the layers that were dense. In a network that reads its class token,
    the patches have no gradient after the last attention, so it is the last one before that.

    Raises:
        ArchspecError: `not-spatial`.
    """
    needed, stop = _candidates(network)
    attention = max((index for index in needed if "Attention" in network.calls[index].kind), default=stop)
    for each in reversed(network.places[:stop]):
        if each.has_class_token and each.call >= attention:
            continue
        if each.call in needed and each.is_spatial and each.call not in network.graph.inputs:
            return each
    before = [each for each in network.places[: max(needed)] if each.call not in network.graph.inputs]
    others = [each.path for each in before if each.is_spatial]
    if others:
        fact = "all layers with spatial extent are part of the head, which computes the map of scores"
        raise fail("not-spatial", fact, help=f"name one with `--layer`, such as `{others[-1]}`")
    raise fail(
        "not-spatial",
        "no layer of the network has spatial extent",
        help="use a method of the input, such as `saliency`",
    )


def _candidates(network: OpenNetwork) -> tuple[set[int], int]:
    """The calls that the classes depend on, and the call before which the layer is.

    Of a network without classes, such as one without its head, these are all up to its output.
    """
    try:
        end = network.end
    except ArchspecError:
        output = network.graph.outputs[0][0]
        return network.ancestors([output]), output + 1
    return network.ancestors([end.index]), end.head_start if end.is_map else end.index
