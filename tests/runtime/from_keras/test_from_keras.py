"""A spec from a Keras model: its network is the model's, its weights fit, and what no spec can say is named."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import archspec
from archspec.cli.main import cli
from archspec.diagnostics import ArchspecError, Source
from archspec.graph.compile.compiler import compile_spec
from archspec.lang.spec.spec import parse
from archspec.ops import OPS
from archspec.runtime.from_keras import spec_of, spec_of_source
from archspec.runtime.from_keras.model import read_model
from archspec.runtime.models.build import build_model
from archspec.runtime.weights import load_weights
from archspec.runtime.weights.applications import functions
from tests.runtime.weights.random_weights import randomize

layers = keras.layers


def rebuilt(text: str) -> Any:
    return build_model(compile_spec(parse(Source("page.yaml", text))))


def goes_round(model: Any, tmp_path: Path, *, tolerance: float = 1e-5) -> str:
    """Checks that the spec of a model has its weights and outputs. Returns the spec."""
    randomize(model)
    text = spec_of(model)
    again = rebuilt(text)
    model.save(tmp_path / "model.keras")
    if model.weights:
        load_weights(again, tmp_path / "model.keras")
    sizes = [size or 11 + axis for axis, size in enumerate(model.input_shape[1:])]
    x = np.random.default_rng(1).normal(size=(2, *sizes)).astype("float32")
    for one, other in zip(np.atleast_1d(model(x)), np.atleast_1d(again(x)), strict=True):
        assert np.abs(one - other).max() <= tolerance * np.abs(one).max()
    return text


def functional(*chain: Any, shape: tuple[int | None, ...] = (9, 7, 4)) -> Any:
    x = inputs = keras.Input(shape)
    for layer in chain:
        x = layer(x)
    return keras.Model(inputs, x, name="net")


# ---- layers ----

LAYERS: dict[str, Any] = {
    "conv": layers.Conv2D(6, (3, 1), 2, "same", groups=2, use_bias=False, activation="gelu"),
    "conv dilated": layers.Conv2D(5, 3, dilation_rate=2, activation=layers.LeakyReLU(0.3)),
    "depthwise": layers.DepthwiseConv2D(3, 2, depth_multiplier=2, activation="relu6"),
    "separable": layers.SeparableConv2D(5, (1, 3), padding="same", depth_multiplier=2),
    "dense": layers.Dense(5, activation="softmax"),
    "batch normalization": layers.BatchNormalization(momentum=0.9, epsilon=1e-5, scale=False),
    "layer normalization": layers.LayerNormalization(axis=[1, 3], epsilon=1e-5),
    "group normalization": layers.GroupNormalization(2),
    "max pooling": layers.MaxPooling2D(3, 2, "same"),
    "average pooling": layers.AveragePooling2D((2, 3)),
    "global average": layers.GlobalAveragePooling2D(keepdims=True),
    "global maximum": layers.GlobalMaxPooling2D(),
    "zero padding": layers.ZeroPadding2D(((0, 1), (2, 0))),
    "cropping": layers.Cropping2D((1, 2)),
    "resizing": layers.Resizing(6, 10),
    "resizing to the nearest": layers.Resizing(4, 11, interpolation="nearest"),
    "center crop": layers.CenterCrop(4, 6),
    "adaptive pooling": layers.AdaptiveAveragePooling2D((4, 3)),
    "strided slice": lambda x: x[:, 1::2, :-1],
    "upsampling": layers.UpSampling2D((2, 3), interpolation="bilinear"),
    "flatten": layers.Flatten(),
    "reshape": layers.Reshape((-1, 2)),
    "reshape to a vector": layers.Reshape((-1,)),
    "prelu": layers.PReLU(shared_axes=(1, 2)),
    "relu": layers.ReLU(6.0, negative_slope=0.1, threshold=0.5),
    "elu": layers.ELU(0.5),
    "leaky relu": layers.LeakyReLU(0.3),
    "softmax": layers.Softmax(axis=1),
    "activation": layers.Activation("hard_silu"),
    "dropout": layers.Dropout(0.3),
    "dropout of samples": layers.Dropout(0.3, noise_shape=(None, 1, 1, 1)),
    "dropout of rows": layers.Dropout(0.3, noise_shape=(None, 9, 1, 1)),
    "spatial dropout": layers.SpatialDropout2D(0.3),
    "rescaling": layers.Rescaling(1 / 255, offset=-0.5),
    "rescaling by channel": layers.Rescaling([0.1, 0.2, 0.3, 0.4]),
    "normalization": layers.Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[1.0, 2.0, 3.0, 4.0]),
    "sequential": keras.Sequential([layers.Conv2D(3, 2), layers.ReLU(), keras.Sequential([layers.Dense(2)])]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_each_layer_goes_round(name: str, tmp_path: Path) -> None:
    goes_round(functional(LAYERS[name]), tmp_path)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Conv1D(5, 3, padding="causal", dilation_rate=2), (12, 4)),
        (layers.Conv3D(3, 2, (1, 2, 2)), (4, 6, 8, 2)),
        (layers.ZeroPadding1D((2, 0)), (9, 3)),
        (layers.Cropping1D(2), (9, 3)),
        (layers.MaxPooling3D(2), (4, 6, 8, 2)),
        (layers.Conv2D(5, 3, 2), (None, None, 3)),
        (layers.Dense(4), (7,)),
    ],
)
def test_other_ranks_and_free_sizes_go_round(layer: Any, shape: tuple[int | None, ...], tmp_path: Path) -> None:
    goes_round(functional(layer, shape=shape), tmp_path)


def test_attention_goes_round(tmp_path: Path) -> None:
    inputs = keras.Input((5, 6))
    x = layers.LayerNormalization()(inputs)
    x = layers.Add()([inputs, layers.MultiHeadAttention(3, 2)(x, x)])
    text = goes_round(keras.Model(inputs, layers.Dense(2)(x)), tmp_path)
    assert "- residual: {body: [layer_norm, attention: 3]}" in text


def test_functions_of_keras_ops_go_round(tmp_path: Path) -> None:
    ops = keras.ops
    x = inputs = keras.Input((9, 7, 4))
    y = ops.silu(x * 2.0 + 1.0)
    y = ops.multiply(y, ops.relu6(y + 3.0) * (1.0 / 6.0))  # a hard swish by hand
    y = ops.leaky_relu(1.0 - y, negative_slope=0.3) / 4.0
    y = ops.subtract(ops.maximum(x, y), ops.mean(y, axis=(1, 2), keepdims=True))
    y = ops.concatenate([ops.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0))), layers.ZeroPadding2D()(x)], axis=-1)
    text = goes_round(keras.Model(inputs, ops.reshape(y, (-1, 11, 72))), tmp_path)
    assert "hard_sigmoid" in text


# ---- structure ----


def test_repeated_units_become_a_block_with_repeat(tmp_path: Path) -> None:
    x = inputs = keras.Input((16, 16, 3))
    for number, filters in enumerate((8, 16, 32)):
        for copy in range(3):
            strides = 2 if number and not copy else 1
            short = x
            if x.shape[-1] != filters:
                short = layers.Conv2D(filters, 1, strides, name=f"stage{number}_{copy}_short")(x)
            y = layers.ZeroPadding2D(name=f"stage{number}_{copy}_pad")(x)
            y = layers.Conv2D(filters, 3, strides, activation="relu", name=f"stage{number}_{copy}_a")(y)
            y = layers.Conv2D(filters, 3, padding="same", name=f"stage{number}_{copy}_b")(y)
            x = layers.ReLU(name=f"stage{number}_{copy}_out")(layers.Add(name=f"stage{number}_{copy}_add")([short, y]))
    model = keras.Model(inputs, layers.Dense(10, "softmax")(layers.GlobalAveragePooling2D()(x)))
    text = goes_round(model, tmp_path)
    assert "{name: stage1, basic: 16, repeat: 3, first: {strides: 2" in text
    assert "params: {classes: 10}" in text
    assert text.count("\n") < 30


def test_several_outputs_are_listed_with_their_names(tmp_path: Path) -> None:
    inputs = keras.Input((9, 7, 4))
    x = layers.Conv2D(5, 3, name="trunk")(inputs)
    main = layers.Dense(3, name="main")(layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3)(x)))
    side = layers.Dense(3, name="side")(layers.GlobalMaxPooling2D()(x))
    text = goes_round(keras.Model(inputs, [main, side]), tmp_path)
    assert "outputs: {main: 1.0, side: 1.0}" in text


def test_a_shared_layer_without_weights_is_two_layers(tmp_path: Path) -> None:
    relu = layers.ReLU()
    text = goes_round(functional(relu, layers.Conv2D(3, 3), relu), tmp_path)
    assert text.count("- relu") == 2


# ---- what no spec can say ----


class Squash(keras.layers.Layer):
    """A layer that only this test knows."""

    def call(self, x: Any) -> Any:
        return x / (1 + abs(x))


class Subclass(keras.Model):
    def call(self, x: Any) -> Any:
        return x


class Doubled(keras.Model):
    def call(self, x: Any) -> Any:
        return 2 * super().call(x)


def quantized_model() -> keras.Model:
    model = keras.Sequential([layers.Dense(4)])
    model.build((None, 8))
    model.layers[0].quantize("int8")
    return model


OWN_CALL = ("not-functional", ("has its own method `call` (class Doubled)",))

UNREADABLE: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "custom layer": (
        lambda: functional(Squash(name="squash")),
        "unknown-keras-layer",
        ("`squash` (Squash)", "archspec has no operator for it", "docs/keras.md"),
    ),
    "subclass": (
        lambda: Subclass(name="own"),
        "not-functional",
        ("`own` has its own method `call` (class Subclass)", "keras.Model(x, model.call(x))"),
    ),
    "own activation": (
        lambda: functional(layers.Dense(3, activation=lambda x: x * x, name="square")),
        "unknown-keras-layer",
        ("`square`", "is not in keras.activations"),
    ),
    "normalization of another axis": (
        lambda: functional(layers.BatchNormalization(axis=1, name="rows")),
        "unknown-keras-layer",
        ("`rows`", "along axis 1"),
    ),
    "functional with another call": (lambda: Doubled(entry := keras.Input((4,)), layers.ReLU()(entry)), *OWN_CALL),
    "nested model with a call": (
        lambda: functional(Subclass(name="own")),
        "unknown-keras-layer",
        ("`own` (Subclass)", "it is a model with its own method `call`"),
    ),
    "unbuilt": (lambda: keras.Sequential([layers.Dense(3)], name="s"), "not-functional", ("have no shapes yet",)),
    "unused input": (
        lambda: keras.Model([entry := keras.Input((4,)), keras.Input((3,), name="b")], layers.ReLU()(entry)),
        "unknown-keras-layer",
        ("no output of the model depends on its input `b`",),
    ),
    "input of five axes": (
        lambda: functional(layers.ReLU(), shape=(2, 3, 4, 5, 6)),
        "unknown-keras-layer",
        ("has 5 axes besides the batch",),
    ),
    "input without axes": (
        lambda: keras.Model(entry := keras.Input(()), keras.ops.expand_dims(entry, -1)),
        "unknown-keras-layer",
        ("has 0 axes besides the batch",),
    ),
    "quantized": (quantized_model, "unknown-keras-layer", ("its weights are quantized (int8)",)),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_no_spec_can_say_is_named(name: str) -> None:
    make, code, facts = UNREADABLE[name]
    with pytest.raises(ArchspecError) as caught:
        spec_of(make())
    assert caught.value.diagnostics[0].code == code
    for fact in facts:
        assert fact in str(caught.value)


def test_operators_of_plugins_read_their_own_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        OPS["softsign"], "from_keras", classmethod(lambda cls, layer: {} if isinstance(layer, Squash) else None)
    )
    assert "- softsign" in spec_of(functional(Squash()))


# ---- keras.applications ----

CHEAP = ("MobileNetV2", "MobileNetV3Small")
DEAR = ("EfficientNetB0", "ResNet50V2", "ConvNeXtTiny", "DenseNet121")


@pytest.mark.parametrize("name", [*CHEAP, *(pytest.param(name, marks=pytest.mark.slow) for name in DEAR)])
def test_models_of_keras_applications_go_round_with_their_weights(name: str, tmp_path: Path) -> None:
    """The whole set: `python -m tests.runtime.from_keras.applications`."""
    side = 64 if name == "ConvNeXtTiny" else 65
    model = functions()[name](weights=None, input_shape=(side, side + 6, 3), classes=7, classifier_activation=None)
    goes_round(model, tmp_path)


def test_the_spec_of_resnet_50_reads_like_its_paper() -> None:
    text = spec_of_source("keras:resnet50")
    assert text.startswith("# keras.applications.ResNet50, by `archspec from-keras keras:resnet50`.\nname: resnet50\n")
    assert "{name: conv4, bottleneck: 256, repeat: 6, first: {strides: 2}}" in text
    graph = compile_spec(parse(Source("page.yaml", text)))
    assert graph.trainable_params == 25_583_592  # the figure of keras.applications
    assert read_model(functions()["ResNet50"](weights=None)).params == graph.params


# ---- the command ----


def test_the_command_writes_a_spec_that_builds_with_the_weights_of_the_model(tmp_path: Path) -> None:
    model = randomize(functional(layers.Conv2D(5, 3, activation="relu"), layers.Flatten(), layers.Dense(3)))
    model.save(tmp_path / "model.keras")
    spec, out = tmp_path / "page.yaml", tmp_path / "again.keras"
    run = CliRunner().invoke(cli, ["from-keras", str(tmp_path / "model.keras"), "-o", str(spec), "--name", "mine"])
    assert run.exit_code == 0, run.output
    assert f"archspec build {spec} --weights" in run.output
    assert archspec.load(str(spec)).spec.name == "mine"
    run = CliRunner().invoke(cli, ["build", str(spec), "--weights", str(tmp_path / "model.keras"), "-o", str(out)])
    assert run.exit_code == 0, run.output
    x = np.random.default_rng(2).normal(size=(2, 9, 7, 4)).astype("float32")
    np.testing.assert_allclose(keras.saving.load_model(out)(x), model(x), atol=1e-6)


def test_a_file_of_archspec_gives_its_spec_back(tmp_path: Path) -> None:
    out = tmp_path / "model.keras"
    run = CliRunner().invoke(cli, ["build", "lenet:5", "-o", str(out)])
    assert run.exit_code == 0, run.output
    text = spec_of_source(str(out))
    assert "C3" in text
    assert compile_spec(parse(Source("x", text))).params == archspec.load("lenet:5").graph().params


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["keras:nothing"], "unknown-application"),
        (["missing.keras"], "model-not-found"),
        (["keras:vgg16", "--name", "a b"], "bad-name"),
        (["keras:vgg16", "-o", "{folder}"], "output-exists"),
    ],
)
def test_each_mistake_has_its_own_error(arguments: list[str], code: str, tmp_path: Path) -> None:
    given = [argument.format(folder=tmp_path) for argument in arguments]
    with pytest.raises(ArchspecError) as caught:
        CliRunner().invoke(cli, ["from-keras", *given], catch_exceptions=False, standalone_mode=False)
    assert caught.value.diagnostics[0].code == code


def test_the_command_is_found_by_its_name_with_a_dash() -> None:
    run = subprocess.run([sys.executable, "-m", "archspec", "from-keras", "--help"], capture_output=True, text=True)
    assert run.returncode == 0
    assert "keras:ResNet50" in run.stdout
