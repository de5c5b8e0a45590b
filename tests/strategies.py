"""Random specs: the whole language drawn as text, with every operator and the arguments that it declares.

A spec grows item by item. A draft of an item that the checker refuses is dropped, so that what is drawn always
checks, and what the checker lets pass is for Keras to confirm. Hypothesis draws a seed alone: from ten thousand
small choices it would make many specs twice, and shrink one in minutes.
"""

import json
from collections.abc import Mapping
from random import Random

import yaml
from hypothesis import strategies as st

from archspec.api import Network
from archspec.diagnostics import ArchspecError, Source
from archspec.lang.schema.structures import SHORTCUTS
from archspec.lang.spec.spec import parse
from tests.spec_items import Items, Json

MAX_LAYERS = 60
MAX_PARAMS = 200_000
MAX_BYTES = 400_000
"""Bounds on a drawn network and its activations, so that it builds and runs in a tenth of a second."""

ALL_READ = "$(f < n and flag and unit == shortcut and sizes)"
"""An expression that reads every param, as a spec must."""


def networks(spec: Source) -> list[Network]:
    """The networks of a spec, one for each variant. Raises ArchspecError for one that does not check."""
    spec = parse(spec)
    found = [Network(spec, variant or spec.name, variant, {}) for variant in spec.variants or (None,)]
    for network in found:
        network.graph()
    return found


def specs(*, inputs: bool = False) -> st.SearchStrategy[str]:
    """The text of a spec that checks, with 1 to 4 networks of at most MAX_LAYERS layers each.

    `inputs`: some have several inputs and named outputs.
    """
    return st.randoms(use_true_random=True).map(lambda random: spec(random, inputs=inputs))


def spec(random: Random, *, inputs: bool = False) -> str:
    """The spec of a random generator."""
    drawn = _head(random)
    items = Items(random, len(drawn["input"]) - 1, len(drawn.get("variants", ())))
    layers: list[Json] = [{"linear": None, "when": ALL_READ}]
    for name in ("basic", "stage", "pair"):
        drawn["blocks"][name] = items.pair() if name == "pair" else items.block()
        if not _well_formed({**drawn, "layers": layers}):
            drawn["blocks"][name]["layers"] = [items.keeping()]
        items.blocks.append(name)

    for _ in range(random.randint(2, 14)):
        draft = items.motif()
        if _bearable({**drawn, "layers": [*layers, *draft]}):
            layers += draft
    drawn["layers"] = layers if _bearable({**drawn, "layers": layers}) else [*layers, "relu"]
    names = [item["name"] for item in layers if isinstance(item, dict) and "name" in item]
    if names and random.random() < 0.3:
        chosen = {"main": 1, random.choice(names): 0.3}
        outputs = chosen if random.random() < 0.5 else list(chosen)
        several = {**drawn, "layers": [*layers, {"name": "main", "linear": None}], "outputs": outputs}
        if _bearable(several):
            drawn = several
    if inputs and random.random() < 0.2:
        side = random.sample(range(2, 6), 2)
        several = {**drawn, "inputs": {"input": drawn["input"], "other": side}}
        several["layers"] = [
            *drawn["layers"],
            {"name": "end", "linear": None},
            {"name": "side", "dense": 2, "from": "other"},
        ]
        several["outputs"] = {"main": "end", "second": {"from": "side", "weight": 0.5}}
        del several["input"]
        drawn = several if "outputs" not in drawn and _bearable(several) else drawn
    flow = random.choice([None, True, False])  # innermost lists, everything, or nothing on single lines
    return yaml.safe_dump(drawn, sort_keys=False, default_flow_style=flow, width=200)


def _head(random: Random) -> dict[str, Json]:
    """All of a spec but its blocks and layers."""
    rank = random.choice([0, 1, 1, 2, 2, 2, 2, 3])
    sizes: list[int | None] = list(random.sample(range(5, 10) if rank == 3 else range(7, 13), rank))
    if random.random() < 0.15:
        sizes = [None] * rank
    params = {
        "f": random.randint(1, 6),
        "n": random.randint(0, 3),
        "flag": random.random() < 0.5,
        "shortcut": random.choice(SHORTCUTS),
        "unit": random.choice(["conv", "dense", "basic"]),
        "sizes": [random.randint(1, 4), random.randint(1, 4)],
    }
    drawn: dict[str, Json] = {"name": "random", "input": [*sizes, random.randint(1, 4)], "params": params}
    if random.random() < 0.4:
        names = random.sample("ABCD", random.randint(1, 3))
        values = {name: {"f": random.randint(1, 6), "flag": random.random() < 0.5} for name in names}
        drawn["variants"] = random.choice([names, values])
    return {**drawn, "blocks": {}}


def _as_json(drawn: Mapping[str, Json]) -> Source:
    return Source("random.yaml", json.dumps(drawn))  # which is YAML too, and quick to write


def _well_formed(drawn: Mapping[str, Json]) -> bool:
    try:
        parse(_as_json(drawn))
    except ArchspecError:
        return False
    return True


def _bearable(drawn: Mapping[str, Json]) -> bool:
    try:
        graphs = [network.graph() for network in networks(_as_json(drawn))]
    except ArchspecError:
        return False
    return all(
        len(graph.nodes) <= MAX_LAYERS and graph.params <= MAX_PARAMS and (graph.activation_bytes or 0) <= MAX_BYTES
        for graph in graphs
    )
