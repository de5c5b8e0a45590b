"""Receptive fields: the figures of Araujo et al. 2019, and what a change of each input pixel really reaches."""

import math
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

import archspec
from archspec.api import Network
from archspec.diagnostics import ArchspecError, Source
from archspec.graph.analysis.receptive_field import ReceptiveField, receptive_fields
from archspec.graph.ir import Graph
from archspec.lang.spec.spec import parse
from tests.strategies import networks, specs

PUBLISHED = [
    # Araujo et al. 2019, "Computing Receptive Fields of Convolutional Neural Networks", Distill, table of networks:
    # size, effective stride and effective padding at the last feature map.
    ("vgg:D", "maxpool_5", 212, 32, -90),
    ("alexnet", "maxpool_3", 195, 32, -64),
    # The residual networks there have the stride in the last unit of a stage, which moves the padding, not the size.
    ("resnet:50", "conv5_x/3/bottleneck/relu_3", 483, 32, None),
    ("resnet:101", "conv5_x/3/bottleneck/relu_3", 1027, 32, None),
    ("resnet:152", "conv5_x/3/bottleneck/relu_3", 1507, 32, None),
]


def field_of(graph: Graph, path: str) -> ReceptiveField | None:
    return dict(zip([node.path for node in graph.nodes], receptive_fields(graph), strict=True))[path]


@pytest.mark.parametrize(("reference", "path", "size", "stride", "offset"), PUBLISHED)
def test_a_field_is_the_published_one(reference: str, path: str, size: int, stride: int, offset: int | None) -> None:
    field = field_of(archspec.load(reference).graph(), path)
    assert field is not None
    assert (field.size, field.stride) == ((size, size), (stride, stride))
    assert offset is None or field.offset == (offset, offset)


def network(layers: list[Any], *sizes: int | None) -> Network:
    """A network of items, with `copies` of it needed nowhere."""
    text = f"name: small\ninput: {[*('~' if n is None else n for n in sizes), 2]}\nlayers: {layers}"
    return Network(parse(Source("small.yaml", text.replace("'", ""))), "small", None, {})


def last_field(layers: list[Any], *sizes: int | None) -> ReceptiveField | None:
    return receptive_fields(network(layers, *sizes).graph())[-1]


def test_a_dilated_window_is_as_wide_as_its_span() -> None:
    layers = [
        "{conv: {filters: 2, kernel_size: [3, 1], dilation_rate: [4, 1]}}",
        "{maxpool: {pool_size: 2, strides: 2}}",
    ]
    assert last_field(layers, 20, 21) == ReceptiveField((10, 2), (2, 2), (0, 0))


def test_behind_global_pooling_every_unit_sees_the_image_and_its_padding() -> None:
    layers = ["{conv: {filters: 2, kernel_size: 3, padding: 1, strides: 2}}", "global_avgpool", "{dense: 3}"]
    assert last_field(layers, 9, 13) == ReceptiveField((11, 15), (0, 0), (-1, -1))


def test_behind_squeeze_and_excitation_every_unit_sees_the_image() -> None:
    gate = "{multiply: {x: [], gate: [{global_avgpool: {keepdims: true}}, {dense: 2}]}}"
    assert last_field([gate], 9, 13) == ReceptiveField((9, 13), (0, 0), (0, 0))


def test_branches_see_their_union_and_a_shift_is_kept() -> None:
    wide = "{conv: {filters: 2, kernel_size: 5, padding: 2}}"
    left = "{crop: {cropping: [[0, 3], [0, 3]]}}, {zero_pad: {padding: [[3, 0], [3, 0]]}}"
    layers = [f"{{concat: {{one: [{wide}], two: [{left}]}}}}"]
    assert last_field(layers, 11, 12) == ReceptiveField((6, 6), (1, 1), (-3, -3))


def test_a_field_that_depends_on_a_free_size_is_unknown_and_the_ones_before_are_not() -> None:
    layers = ["{conv: {filters: 2, kernel_size: 3}}", "global_avgpool", "{dense: 3}"]
    fields = receptive_fields(network(layers, None, None).graph())
    assert fields[1] == ReceptiveField((3, 3), (1, 1), (0, 0))
    assert fields[2:] == (None, None)


def test_behind_an_upsampling_the_field_moves_evenly_and_covers_what_is_seen() -> None:
    """Units 0 and 1 see pixels 0 to 2, units 2 and 3 pixels 1 to 3: half a pixel of cover on the left."""
    layers = ["{conv: {filters: 2, kernel_size: 3}}", "{upsample: 2}"]
    assert last_field(layers, 9, 10) == ReceptiveField((3.5, 3.5), (0.5, 0.5), (-0.5, -0.5))


# ---- against what computing shows ----------------------------------------------------------------------------------

SIZE = st.integers(1, 3)
DENSE = {
    "conv": lambda draw: {"filters": 2, "kernel_size": draw(SIZE), **steps(draw), "padding": draw(PADDING)},
    "depthwise_conv": lambda draw: {"kernel_size": draw(SIZE), "padding": draw(PADDING)},
    "avgpool": lambda draw: {"pool_size": draw(st.integers(2, 3)), "strides": draw(st.integers(1, 2))},
    "zero_pad": lambda draw: draw(st.integers(0, 2)),
}
"""Layers whose units see every pixel of their fields."""
PADDING = st.sampled_from(["valid", "same", "1"])


def steps(draw: st.DrawFn) -> dict[str, int]:
    return {draw(st.sampled_from(["strides", "dilation_rate"])): draw(st.sampled_from([1, 1, 2]))}


@st.composite
def chains(draw: st.DrawFn) -> Network:
    """Two to five sliding windows over a sequence or an image, perhaps around a sum or a concatenation."""
    layers: list[Any] = []
    rank = draw(st.integers(1, 2))
    for _ in range(draw(st.integers(2, 5))):
        head = draw(st.sampled_from(sorted(DENSE)))
        layers.append({head: DENSE[head](draw)})
    if draw(st.booleans()):
        kernels = [draw(st.sampled_from([1, 3, 5])) for _ in range(2)]
        branches = {
            f"b{i}": [{"conv": {"filters": 2, "kernel_size": k, "padding": "same"}}] for i, k in enumerate(kernels)
        }
        layers.insert(draw(st.integers(0, len(layers))), {draw(st.sampled_from(["add", "concat"])): branches})
    return network(layers, *draw(st.lists(st.integers(9, 16), min_size=rank, max_size=rank)))


def reached(graph: Graph, model: Any) -> list[np.ndarray]:
    """For each spatial axis of the input: (units of the output along it, pixels), whether the unit changes."""
    random = np.random.default_rng(0)
    still = random.uniform(-0.4, 0.4, graph.input_shape).astype("float32")
    found = []
    for axis in range(len(graph.input_shape) - 1):
        images = np.repeat(still[None], graph.input_shape[axis] + 1, axis=0)
        for pixel in range(graph.input_shape[axis]):
            line = (pixel, *(slice(None),) * axis, pixel)
            images[line] += random.uniform(20, 60, images[line].shape)
        outputs = np.asarray(model(images))
        others = tuple(other for other in range(1, outputs.ndim) if other != axis + 1)
        same = np.isclose(outputs[:-1], outputs[-1:], rtol=1e-4, atol=1e-6, equal_nan=True)
        found.append((~same).any(others).T)
    return found


def with_positive_weights(model: Any) -> Any:
    """So that nothing cancels out and nothing is cut off."""
    for weight in model.weights:
        weight.assign(np.random.default_rng(1).uniform(0.5, 1, weight.shape))
    return model


@settings(max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck))
@given(chains())
def test_units_see_all_of_their_fields_and_nothing_else(small: Network) -> None:
    try:
        graph = small.graph()
    except ArchspecError:
        return  # a window that does not fit
    field = receptive_fields(graph)[-1]
    assert field is not None
    for axis, reads in enumerate(reached(graph, with_positive_weights(small.build()))):
        size, stride, offset = (column[axis] for column in field)
        pixels = reads.shape[1]
        for unit, seen in enumerate(reads):
            start = offset + unit * stride
            (positions,) = np.nonzero(seen)
            assert all(start <= position < start + size for position in positions)
            if start >= 0 and start + size <= pixels:  # not where part of it is padding
                assert (positions.min(), positions.max()) == (start, start + size - 1)


@settings(max_examples=40, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(specs())
def test_no_unit_of_a_random_spec_sees_beyond_its_field(text: str) -> None:
    note(text)
    for small in networks(Source("random.yaml", text)):
        graph = small.graph()
        if None in graph.input_shape or len(graph.input_shape) == 1:
            continue
        model = small.build()
        fields = receptive_fields(graph)
        spatial = [i for i, node in enumerate(graph.nodes) if i and len(node.shape) == len(graph.input_shape)]
        for index in spatial[-3:]:
            node, field = graph.nodes[index], fields[index]
            assert field is not None
            part = keras.Model(model.input, model.get_layer(node.keras_name).output)
            for axis, reads in enumerate(reached(graph, part)):
                size, stride, offset = (column[axis] for column in field)
                for unit, seen in enumerate(reads):
                    start = offset + unit * stride
                    (positions,) = np.nonzero(seen)
                    assert all(math.floor(start) <= p < start + size for p in positions), (node.path, axis, unit)
