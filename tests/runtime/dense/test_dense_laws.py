"""The laws of the dense form, over random small networks: what it gives is what the original gives for crops."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from archspec.graph.compile.inference import at_size
from archspec.graph.rewrite.fully_convolutional import convolutionalize as dense_graph
from archspec.graph.rewrite.padding import dense_effects
from archspec.runtime.dense.convert import convolutionalize, copy_weights
from archspec.runtime.models.build import build_model
from tests.runtime.dense.nets import Net, graph, nets
from tests.runtime.weights.random_weights import randomize

LAW = settings(
    max_examples=60,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype("float32")


def run(model: keras.Model, x: np.ndarray) -> np.ndarray:
    return np.asarray(model(x))


@LAW
@given(nets(), st.tuples(st.integers(0, 5), st.integers(0, 5)), st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_without_padding_the_map_is_the_original_at_every_stride(
    net: Net, ragged: tuple[int, int], more: tuple[int, int]
) -> None:
    """Sizes by hand: a window of R pixels that moves by s has floor((n - R) / s) + 1 positions among n pixels."""
    stride, window = net.stride, net.size()
    trained = tuple(side + extra % stride for side, extra in zip(window, ragged, strict=True))  # the rest is not seen
    spec = graph(net.spec(trained))
    model = randomize(build_model(spec))
    dense = convolutionalize(model, graph=spec)
    assert dense_effects(spec, dense_graph(spec)) == ()
    assert dense.input_shape == (None, None, None, 2)

    x = images(3, *trained, 2)
    np.testing.assert_allclose(run(dense, x)[:, 0, 0], run(model, x), atol=1e-5)

    sides = [side + extra for side, extra in zip(trained, more, strict=True)]
    counts = [(side - side_of_one) // stride + 1 for side, side_of_one in zip(sides, window, strict=True)]
    x = images(1, *sides, 2)
    scores = run(dense, x)
    assert scores.shape == (1, *counts, 4)
    assert at_size(dense_graph(spec), (*sides, 2)).output_shape == (*counts, 4)
    beyond = np.pad(x, ((0, 0), (0, stride), (0, stride), (0, 0)))  # where the rest of a crop is outside
    crops = [
        beyond[0, i * stride : i * stride + trained[0], j * stride : j * stride + trained[1]]
        for i in range(counts[0])
        for j in range(counts[1])
    ]
    np.testing.assert_allclose(scores.reshape(-1, 4), run(model, np.stack(crops)), atol=1e-5)


@LAW
@given(nets(even=True), st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_with_padding_a_unit_sees_its_neighbours_where_a_crop_had_zeros(net: Net, more: tuple[int, int]) -> None:
    """Inside an image every position is the network without padding, on all that the unit sees; on a crop, itself."""
    stride, window = net.stride, net.size()
    trained = tuple(end * stride for end in net.end)
    spec = graph(net.spec(trained, padded=True))
    model = randomize(build_model(spec))
    dense = convolutionalize(model, graph=spec)
    x = images(2, *trained, 2)
    np.testing.assert_allclose(run(dense, x)[:, 0, 0], run(model, x), atol=1e-5)
    padded = any(kind == "conv" and max(side) > 1 for kind, side, _ in net.layers)
    assert [effect.kind for effect in dense_effects(spec, dense_graph(spec))] == ["padding"] * padded

    unpadded = build_model(graph(net.spec(window)))
    copy_weights(model, unpadded)
    before = [0, 0]  # pixels that the first unit sees above and left of the image
    jump = 1
    for kind, sides, step in net.layers:
        if kind == "conv":
            before = [total + side // 2 * jump for total, side in zip(before, sides, strict=True)]
        jump *= step
    sides = [side + 2 * stride + extra for side, extra in zip(window, more, strict=True)]
    x = images(1, *sides, 2)
    scores = run(dense, x)
    inside = [
        [i for i in range(count) if i * stride - out >= 0 and i * stride - out + seen <= side]
        for count, out, seen, side in zip(scores.shape[1:3], before, window, sides, strict=True)
    ]
    assert all(inside)
    crops = []
    for i in inside[0]:
        for j in inside[1]:
            top, left = i * stride - before[0], j * stride - before[1]
            crops.append(x[0, top : top + window[0], left : left + window[1]])
    found = scores[0][np.ix_(inside[0], inside[1])].reshape(-1, 4)
    np.testing.assert_allclose(found, run(unpadded, np.stack(crops)), atol=1e-5)


@pytest.mark.parametrize(
    ("layers", "stride", "step", "kinds"),
    [  # the stride of the map, and that of the positions that are crops, in pixels; kinds by hand
        (["conv: {filters: 2, kernel_size: 2}", "flatten"], 1, 1, []),
        (["slice: {axis: 1, start: -3}", "flatten"], 1, 1, []),
        (["slice: {axis: 2, start: 1, end: 6}", "flatten"], 1, 1, []),
        (["slice: {axis: 1, step: 2}", "slice: {axis: 2, step: 2}", "flatten"], 2, 2, []),
        (["adaptive_maxpool: 4", "flatten"], 2, 2, []),
        (["reduce_max: [1, 2]"], 1, 1, []),
        (["reduce_mean: {axis: [1, 2], keepdims: true}", "flatten"], 1, 1, []),
        (["conv_transpose: {filters: 3, kernel_size: 2, strides: 2}", "maxpool: 2", "flatten"], 1, 1, []),
        (["conv_transpose: {filters: 3, kernel_size: 2, strides: 2}", "flatten"], 0.5, 1, ["between-crops"]),
        (["upsample: 3", "maxpool: 2", "flatten"], 2 / 3, 2, ["between-crops"]),
        (["maxpool: 2", "upsample: 2", "flatten"], 1, 2, ["between-crops"]),
        (["conv_transpose: {filters: 3, kernel_size: 3}", "flatten"], 1, 1, ["padding"]),
        (["conv_transpose: {filters: 3, kernel_size: 3, strides: 2}", "maxpool: 2", "flatten"], 1, 1, ["padding"]),
        (
            ["conv_transpose: {filters: 3, kernel_size: 4, strides: 2, padding: same}", "maxpool: 2", "flatten"],
            1,
            1,
            ["padding"],
        ),
        (["softmax: {axis: 1}", "flatten"], 1, 1, ["whole-image"]),
        (["flip: {axis: 1}", "flatten"], 1, 1, ["whole-image"]),
    ],
)
def test_the_effects_tell_which_positions_are_those_of_crops(
    layers: list[str], stride: float, step: int, kinds: list[str]
) -> None:
    """Exact: all positions; between crops: those at multiples of every stride; otherwise some position differs."""
    spec = graph(
        "\n".join(["name: net", "input: [8, 8, 2]", "layers:", *(f"  - {each}" for each in layers), "  - dense: 3"])
    )
    assert [effect.kind for effect in dense_effects(spec, dense_graph(spec))] == kinds
    model = randomize(build_model(spec))
    x = images(1, 14, 14, 2)
    scores = run(convolutionalize(model, graph=spec), x)[0]
    at = range(0, 14 - 8 + 1, step)
    crops = np.stack([x[0, i : i + 8, j : j + 8] for i in at for j in at])
    places = [round(i / stride) for i in at]
    found = scores[np.ix_(places, places)].reshape(-1, 3)
    differs = np.abs(found - run(model, crops)).max() > 1e-4
    assert differs == any(kind != "between-crops" for kind in kinds)
    assert (len(scores) == len(places)) == ("between-crops" not in kinds)


@pytest.mark.parametrize(
    "reference",
    [
        "small-alexnet",
        "resnet-cifar:20",
        "se-resnet-small",
        pytest.param("densenet-cifar:40-12", marks=pytest.mark.slow),
    ],
)
def test_at_the_training_size_a_network_of_any_kind_is_what_it_was(reference: str) -> None:
    """With LRN, residuals, `same` under a stride, dense blocks, global pooling, and squeeze-and-excitation."""
    import archspec

    spec = graph(SE) if reference == "se-resnet-small" else archspec.load(reference).graph()
    model = randomize(build_model(spec))
    x = images(2, *spec.input_shape)
    expected = run(model, x)
    np.testing.assert_allclose(run(convolutionalize(model, graph=spec), x)[:, 0, 0], expected, atol=1e-5)
    for output in ("mean_scores", "softmax_of_mean"):
        np.testing.assert_allclose(run(convolutionalize(model, graph=spec, output=output), x), expected, atol=1e-5)
    logits = run(convolutionalize(model, graph=spec, output="logits"), x)[:, 0, 0]
    np.testing.assert_allclose(np.asarray(keras.ops.softmax(logits)), expected, atol=1e-5)


SE = """
name: se
input: [9, 8, 3]
layers:
  - conv: {filters: 4, kernel_size: 3, padding: same, strides: 2}
  - multiply:
      x: []
      gate: [global_avgpool: {keepdims: true}, conv: {filters: 4, kernel_size: 1}, sigmoid]
  - maxpool: {pool_size: 3, strides: 2, padding: same}
  - global_avgpool
  - dense: 5
  - softmax
"""


def test_both_means_of_a_score_map_are_what_they_say() -> None:
    spec = graph(SE.replace("- global_avgpool\n", "- flatten\n"))
    model = randomize(build_model(spec))
    x = images(2, 15, 12, 3)
    scores, logits = (run(convolutionalize(model, graph=spec, output=each), x) for each in ("scores", "logits"))
    mean = run(convolutionalize(model, graph=spec, output="mean_scores"), x)
    np.testing.assert_allclose(mean, scores.mean((1, 2)), atol=1e-6)
    average = logits.mean((1, 2))
    expected = np.exp(average) / np.exp(average).sum(-1, keepdims=True)
    found = run(convolutionalize(model, graph=spec, output="softmax_of_mean"), x)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found - mean).max() > 1e-3  # they are two different protocols


def test_a_model_of_keras_alone_is_read_from_its_layers() -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 6, 3)),
            layers.ZeroPadding2D(1),
            layers.Conv2D(4, 3, activation="relu", name="first"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(7, activation="relu", name="hidden"),
            layers.Dense(3, activation="softmax", name="scores"),
        ]
    )
    randomize(model)
    dense = convolutionalize(model)
    x = images(2, 8, 6, 3)
    np.testing.assert_allclose(run(dense, x)[:, 0, 0], run(model, x), atol=1e-5)
    assert dense.get_layer("hidden").kernel.shape == (4, 3, 4, 7)
    assert run(dense, images(1, 13, 10, 3)).shape == (1, 3, 3, 3)  # 13 -> 6 -> 3, 10 -> 5 -> 3


def test_a_wide_window_is_computed_by_matrix_products_and_is_the_same() -> None:
    """11 x 9 maps under a window of 5 x 4 with 4.1 million weights; Keras's own convolution is the peer."""
    from archspec.runtime.models.fast.wide_conv import speed_up_wide_windows

    layers = keras.layers
    model = keras.Sequential([layers.Input((None, None, 128)), layers.Conv2D(1600, (5, 4)), layers.ReLU()])
    x = images(2, 11, 9, 128)
    expected = run(model, x)
    assert speed_up_wide_windows(model) == 1
    found = run(model, x)
    assert found.shape == (2, 7, 6, 1600)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    fixed = keras.Sequential([layers.Input((11, 9, 128)), layers.Conv2D(1600, (5, 4))])
    assert speed_up_wide_windows(fixed) == 0  # which may be trained
