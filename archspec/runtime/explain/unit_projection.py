"""The projection of single units of a layer back to the pixels by the deconvnet (Zeiler & Fergus 2014, section 2.1)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail, listed
from archspec.runtime.explain.backward_rules import DECONVNET, EXACT, RECTIFIERS, activation_name
from archspec.runtime.explain.map_scaling import Array
from archspec.runtime.explain.open_layer import OpenLayer
from archspec.runtime.explain.open_network import OpenNetwork

UNDEFINED = ("MultiHeadAttention", "GroupQueryAttention", "Attention", "LayerNormalization", "GroupNormalization")
"""Layers whose outputs are no sum of inputs with fixed weights and switches."""
SQUASHING = ("sigmoid", "hard_sigmoid", "tanh", "softmax", "softsign")
"""Activations that are no rectifiers."""
CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D")


class Projection(NamedTuple):
    """What the strongest unit of a channel sends back."""

    value: float
    """Its activation."""
    position: tuple[int, ...]
    """Row and column in the layer; empty for a layer of vectors."""
    pixels: Array
    """(H, W, C), in units of the network's input times the activation."""


def check_projection(network: OpenNetwork, place: OpenLayer) -> None:
    """Check that the deconvnet is defined from a layer down to the image.

    Raises:
        ArchspecError: `method-not-applicable`.
    """
    kinds = {network.calls[index].kind for index in network.ancestors([place.call])}
    wrong = sorted(kinds.intersection(UNDEFINED))
    if wrong or not kinds.intersection(CONVOLUTIONS):
        fact = (
            f"the layers up to `{place.path}` include {listed(wrong)}"
            if wrong
            else f"there is none up to `{place.path}`"
        )
        help = "use `saliency`, `integrated-gradients` or `occlusion`"
        raise fail("method-not-applicable", f"the deconvnet inverts convolutions, but {fact}", help=help)


def projection_notes(network: OpenNetwork, place: OpenLayer) -> list[str]:
    """Layers below that the paper does not know, and what is done with them."""
    below = [network.calls[index] for index in network.ancestors([place.call])]
    names = {activation_name(call.operation) for call in below}.intersection((*RECTIFIERS, *SQUASHING))
    kinds = sorted(name for name in names if name and name not in EXACT)
    notes = []
    if kinds:
        rectified = listed(kind for kind in kinds if kind in RECTIFIERS)
        kept = listed(kind for kind in kinds if kind in SQUASHING)
        parts = [f"{rectified} is treated like it"] * bool(rectified) + [f"{kept} sends back its gradient"] * bool(kept)
        notes.append(f"the paper defines the deconvnet for ReLU: {'; '.join(parts)}")
    if any(call.kind == "Multiply" and len(call.inputs) > 1 for call in below):
        notes.append("gates, such as squeeze-and-excitation, send back their gradient")
    return notes


def strongest(features: Array, count: int) -> npt.NDArray[np.intp]:
    """The channels with the largest activations of one image (..., C), the largest first."""
    return np.argsort(-features.reshape(-1, features.shape[-1]).max(axis=0), kind="stable")[:count]


def project(
    network: OpenNetwork, x: Array, place: OpenLayer, features: Array, channels: npt.NDArray[np.integer[Any]]
) -> list[Projection]:
    """Project the strongest unit of one channel of each image; all other units of the layer are set to zero.

    Args:
        features: the output of the layer (B, ..., C).
        channels: one for each image (B,).
    """
    seeds, units = np.zeros_like(features), []
    for row, channel in enumerate(channels):
        unit = np.unravel_index(int(np.argmax(features[row, ..., channel])), features.shape[1:-1])
        seeds[(row, *unit, channel)] = features[(row, *unit, channel)]
        units.append(tuple(int(each) for each in unit))
    pixels = network.unit_gradient(x, place, seeds, DECONVNET)
    return [
        Projection(float(features[(row, *unit, channels[row])]), unit, pixels[row]) for row, unit in enumerate(units)
    ]
