"""Named maps from the layers of a trained network to those of a network that is initialized from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from archspec.diagnostics import fail
from archspec.graph.ir import Graph

Pairs = list[tuple[str, str]]
"""(path of a layer, path of the layer whose weights it takes)."""


def vgg_a_to_deeper(source: Graph, target: Graph) -> Pairs:
    """The first four convolutions and the last three dense layers of net A (Simonyan & Zisserman 2014, section 3.1).

    A convolution starts from that of the same place: after as many poolings, the first or second there. The others
    keep their initial weights. Raises ArchspecError (init-map) where a layer has no counterpart.
    """
    here, there = (_places(graph) for graph in (target, source))
    pairs = []
    for place in list(there)[:4]:
        if place not in here:
            stage, index = place
            which = f"convolution {index + 1} after {stage} poolings"
            fact = f"`{target.name}` has no counterpart of `{there[place]}`: no {which}"
            raise fail("init-map", fact, help="map the layers with patterns: `--init-map TARGET=SOURCE`")
        pairs.append((here[place], there[place]))
    dense = [[node.path for node in graph.layers if node.op.name == "dense"] for graph in (target, source)]
    if min(map(len, dense)) < 3:
        counts = f"the network has {len(dense[0])}, the source {len(dense[1])}"
        fact = f"`vgg-a-to-deeper` needs three dense layers in both networks; {counts}"
        raise fail("init-map", fact, help="map the layers with patterns: `--init-map TARGET=SOURCE`")
    return pairs + list(zip(dense[0][-3:], dense[1][-3:], strict=True))


def _places(graph: Graph) -> dict[tuple[int, int], str]:
    """The convolutions of a chain by (poolings before it, convolutions since the last of them)."""
    found: dict[tuple[int, int], str] = {}
    stage = index = 0
    for node in graph.layers:
        if node.op.name in ("maxpool", "avgpool"):
            stage, index = stage + 1, 0
        elif node.op.name == "conv":
            found[stage, index] = node.path
            index += 1
    return found


INIT_MAPS: Mapping[str, Callable[[Graph, Graph], Pairs]] = {"vgg-a-to-deeper": vgg_a_to_deeper}
"""Every map under its name; it needs the graphs of both networks."""
