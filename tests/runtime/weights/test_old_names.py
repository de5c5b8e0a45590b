"""Files of VGG from before its layers were named after stage and position (docs/decisions/0020-vgg-names.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archspec
from archspec.graph.select import vgg_a_to_deeper
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, save_model
from archspec.runtime.weights.initial_weights import initialize_from
from tests.runtime.weights.random_weights import randomize

SMALL: dict[str, Any] = {"input": [32, 32, 3], "classes": 7, "narrow": 16}
CONVS = {"A": "1 1 2 2 2", "C": "2 2 21 21 21", "E": "2 2 4 4 4"}
"""The 3x3 convolutions of each stage (Table 1); C has a 1x1 convolution after the two of the last three stages."""


def old_spec(variant: str) -> str:
    """The layers as earlier versions wrote them, without names."""
    layers = []
    for number, width in zip(CONVS[variant].split(), (64, 128, 256, 512, 512), strict=True):
        layers += [f"conv3: {width}"] * int(number[0]) + [f"conv1: {width}"] * (len(number) > 1) + ["maxpool"]
    text = archspec.load("vgg:A").spec.text
    head, blocks = text[text.index("params:") :].split("blocks:")
    return "\n".join(
        [
            f"name: vgg-{variant}\ninput: [224, 224, 3]",
            head.replace("  scale: 256", "  # scale: 256"),
            "blocks:" + blocks[: blocks.index("variants:")],
            "layers:",
            *(f"  - {layer}" for layer in [*layers, "flatten", "fc: 4096", "fc: 4096", "dense: $classes", "softmax"]),
        ]
    )


@pytest.fixture(scope="module", params=["A", "C", "E"])
def old(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any, Path]:
    folder = tmp_path_factory.mktemp("old")
    (folder / "old.yaml").write_text(old_spec(request.param), encoding="utf-8")
    network = archspec.load(str(folder / "old.yaml"), **SMALL)
    model = randomize(network.build())
    save_model(model, folder / "old.keras", Metadata(f"vgg:{request.param}", network.resolved_text()))
    model.save_weights(str(folder / "old.weights.h5"))
    return request.param, model, folder


def test_files_of_the_old_names_fit_the_new_ones(old: tuple[str, Any, Path]) -> None:
    variant, model, folder = old
    network = archspec.load(f"vgg:{variant}", **SMALL)
    assert {layer.name for layer in model.layers if ".conv" in layer.name}.isdisjoint(
        node.keras_name for node in network.graph().layers
    )
    for name in ("old.keras", "old.weights.h5"):
        new = network.build()
        archspec.load_weights(new, folder / name, graph=network.graph())
        for one, other in zip(model.get_weights(), new.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_procedure_of_the_paper_starts_from_an_old_file(old: tuple[str, Any, Path]) -> None:
    _, model, folder = old
    network = archspec.load("vgg:E", **SMALL)
    source = archspec.load(str(folder / "old.yaml"), **SMALL).graph()
    new = network.build()
    initialize_from(new, network.graph(), str(folder / "old.keras"), ["vgg-a-to-deeper"])
    for here, there in vgg_a_to_deeper(source, network.graph()):
        theirs, ours = (m.get_layer(path.replace("/", ".")) for m, path in ((model, there), (new, here)))
        np.testing.assert_array_equal(theirs.get_weights()[0], ours.get_weights()[0])


def test_an_old_model_keeps_its_own_paths(old: tuple[str, Any, Path]) -> None:
    loaded, metadata = load_model(old[2] / "old.keras")[:2]
    assert loaded.get_layer("conv3_2.conv") is not None
    assert metadata.spec is not None
    assert "conv1_1" not in metadata.spec
