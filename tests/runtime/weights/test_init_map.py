"""`--init-map`: which layers of a network start from which of a trained one, said and not guessed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.graph.select import vgg_a_to_deeper
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, save_model
from archspec.runtime.weights.initial_weights import initialize_from
from tests.runtime.weights.random_weights import randomize

SMALL = {"input": [32, 32, 3], "classes": 7}


def small(reference: str, **settings: Any) -> archspec.Network:
    """A VGG of an eighth of the widths, on images of 32 pixels."""
    return archspec.load(reference, narrow=8, **{**SMALL, **settings})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a") / "a.keras"
    network = small("vgg:A")
    save_model(randomize(network.build()), path, Metadata("vgg:A", network.resolved_text()))
    return path


def weights(model: Any) -> dict[str, list[np.ndarray]]:
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


FROM = {
    "conv1_1.conv3.conv": "conv1_1.conv3.conv",
    "conv2_1.conv3.conv": "conv2_1.conv3.conv",
    "conv3_1.conv3.conv": "conv3_1.conv3.conv",
    "conv3_2.conv3.conv": "conv3_2.conv3.conv",
    "fc.dense": "fc.dense",
    "fc_2.dense": "fc_2.dense",
    "dense": "dense",
}
"""Of D (13 convolutions) and A (8), by Table 1: D's stages begin with its first, third and fifth convolution; of the
third A has two."""


def test_vgg_a_seeds_the_first_four_convolutions_and_the_dense_layers_of_d(trained: Path) -> None:
    network = small("vgg:D")
    model = randomize(network.build(), seed=1)
    before, source = weights(model), weights(load_model(trained)[0])
    transfer = initialize_from(model, network.graph(), str(trained), ["vgg-a-to-deeper"])
    for name, arrays in weights(model).items():
        expected = source[FROM[name]] if name in FROM else before[name]
        for one, other in zip(arrays, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    table = transfer.table()
    assert len(table) == 1 + 16 + 1  # a head, 13 + 3 layers, what is left over
    assert sum("initial weights" in line for line in table) == 9
    assert "not used: conv4_1/conv3/conv, conv4_2/conv3/conv, conv5_1/conv3/conv, conv5_2/conv3/conv" in table[-1]


@pytest.mark.parametrize("variant", ["A", "A-LRN", "B", "C", "D", "E"])
def test_every_column_of_table_1_can_start_from_a_at_full_size(variant: str) -> None:
    """Every pair has weights of the same shape, by the static graphs alone."""
    source, target = archspec.load("vgg:A").graph(), archspec.load(f"vgg:{variant}").graph()
    pairs = vgg_a_to_deeper(source, target)
    assert len(pairs) == 7
    assert all(target[here].facts.weights == source[there].facts.weights for here, there in pairs)


def test_patterns_say_pairs_and_the_last_one_decides(trained: Path) -> None:
    network = small("vgg:A")
    model = randomize(network.build(), seed=1)
    before, source = weights(model), weights(load_model(trained)[0])
    maps = ["fc*/**", "conv5_[12]/**=conv5_[12]/**", "conv5_1/conv3/conv=conv4_2/conv3/conv"]
    transfer = initialize_from(model, network.graph(), str(trained), maps)
    after = weights(model)
    for name in after:
        there = {"conv5_1.conv3.conv": "conv4_2.conv3.conv"}.get(name, name)
        kept = name not in ("fc.dense", "fc_2.dense", "conv5_1.conv3.conv", "conv5_2.conv3.conv")
        for one, other in zip(after[name], before[name] if kept else source[there], strict=True):
            np.testing.assert_array_equal(one, other)
    assert "conv5_1/conv3/conv" in transfer.unused


def refused(network: archspec.Network, source: Path, *maps: str) -> Any:
    model = randomize(network.build(), seed=1)
    before = model.get_weights()
    with pytest.raises(ArchspecError) as error:
        initialize_from(model, network.graph(), str(source), maps)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    (diagnostic,) = error.value.diagnostics
    return diagnostic


def test_what_does_not_fit_is_refused_with_the_table_and_nothing_is_set(trained: Path, tmp_path: Path) -> None:
    other_classes = refused(small("vgg:A", classes=5), trained, "**")
    assert other_classes.code == "init-map"
    assert other_classes.message.startswith("1 layer cannot be initialized")
    assert any("dense " in note and "the source has 512x7 + 7" in note for note in other_classes.notes)
    missing = refused(small("vgg:D"), trained, "conv4_3/**")
    assert "the source has no such layer" in "".join(missing.notes)
    shape = refused(small("vgg:D"), trained, "conv2_2/**=conv2_1/**")  # of 128 channels and of 64
    assert "the source has 3x3x8x16 + 16" in "".join(shape.notes)
    assert refused(small("vgg:D"), trained, "cnv3/**").code == "unmatched-pattern"
    assert refused(small("vgg:D"), trained, "vgg-a-to-deper").help == "did you mean `vgg-a-to-deeper`?"
    small("vgg:A").build().save_weights(tmp_path / "a.weights.h5")
    no_spec = refused(small("vgg:D"), tmp_path / "a.weights.h5", "vgg-a-to-deeper")
    assert "has no spec" in no_spec.message
    flat = refused(archspec.load("resnet-cifar:20"), trained, "vgg-a-to-deeper")
    assert flat.code == "init-map"


def test_a_map_reads_one_of_several_sets(tmp_path: Path) -> None:
    """`FILE#KEY`, and the choice among sets is said here, too."""
    from tests.runtime.weights import torch_writer

    (tmp_path / "net.yaml").write_text(
        "name: net\ninput: [4, 4, 3]\nlayers: [{name: conv, conv: {filters: 2, kernel_size: 1}}, flatten, dense: 2]\n"
    )
    kernel = np.ones((2, 3, 1, 1), "float32")
    sets = [{"conv.weight": factor * kernel, "conv.bias": np.zeros(2, "float32")} for factor in (1, 2, 3)]
    path = torch_writer.save(tmp_path / "x.pth", dict(zip(("model", "model_ema", "other"), sets, strict=True)))
    network = archspec.load(str(tmp_path / "net.yaml"))
    for source, expected in ((str(path), 1), (f"{path}#model_ema", 2), (f"{path}#other", 3)):
        model = network.build()
        transfer = initialize_from(model, network.graph(), source, ["conv"])
        np.testing.assert_array_equal(model.get_layer("conv").kernel, np.full((1, 1, 3, 2), expected, "float32"))
    assert not transfer.remarks
    first = initialize_from(model, network.graph(), str(path), ["conv"]).remarks
    assert first == (f"weights `model`; not taken: `{path}#other`, `{path}#model_ema`",)
    torch_writer.save(path, {"teacher": sets[0], "student": sets[1]})
    with pytest.raises(ArchspecError, match="several-weights"):
        initialize_from(model, network.graph(), str(path), ["conv"])
