"""Layers as other libraries write them: the help line says what to write, and that can be written."""

from __future__ import annotations

import re

import pytest

from archspec.declare import arguments
from archspec.diagnostics import ArchspecError, Diagnostic, Source
from archspec.graph.compile.compiler import compile_spec
from archspec.lang.recipes.initializers import INITIALIZERS
from archspec.lang.recipes.losses import LOSSES
from archspec.lang.recipes.schedules import SCHEDULES
from archspec.lang.schema.foreign_names import ARGUMENTS, KEYS, NEEDLESS, OPERATORS, RECIPES
from archspec.lang.schema.other_names import LACKING
from archspec.lang.schema.spec_schema import spec_schema
from archspec.lang.spec.spec import parse
from archspec.ops import OPS
from archspec.protocols import PROTOCOLS
from archspec.transforms import TRANSFORMS

HEAD = "name: net\ninput: [32, 32, 3]\nlayers:\n  - "


def wrong(layer: str) -> Diagnostic:
    with pytest.raises(ArchspecError) as raised:
        compile_spec(parse(Source("net.yaml", f"{HEAD}{layer}\n")))
    return raised.value.diagnostics[0]


def test_a_fraction_for_a_count_is_no_other_argument() -> None:
    assert "epsilon" not in str(wrong("conv: 1.5"))


@pytest.mark.parametrize(
    ("layer", "form"),
    [("dropout: 1/2", "$(1/2)"), ("conv: {filters: 2 * 32}", "$(2 * 32)"), ("conv: {filters: 1_024}", "1024")],
)
def test_calculations_and_grouped_digits_are_answered_with_the_written_form(layer: str, form: str) -> None:
    assert wrong(layer).help == f"write `{form}`"


FORMS = {
    "conv 8": "conv: 8",
    "conv 8 3": "conv: {filters: 8, kernel_size: 3}",
    "conv(8)": "conv: 8",
    "conv(8, 3)": "conv: {filters: 8, kernel_size: 3}",
    "conv=8": "conv: 8",
    "conv: 8 3": "conv: {filters: 8, kernel_size: 3}",
    "conv: (8, 3)": "conv: {filters: 8, kernel_size: 3}",
    "conv: [8, 3, same]": "conv: {filters: 8, kernel_size: 3, padding: same}",
    "conv: 3x3, 64": "conv: {filters: 64, kernel_size: 3}",
    "conv: 1x3, 64": "conv: {filters: 64, kernel_size: [1, 3]}",
    "conv: [filters: 8, kernel_size: 3]": "conv: {filters: 8, kernel_size: 3}",
    "conv: 64 filters": "conv: 64",
    "conv3x3: 64": "conv: {filters: 64, kernel_size: 3}",
    "dropout: 50%": "dropout: 0.5",
    "relu: true": "relu",
    "upsample: bilinear": "upsample: {interpolation: bilinear}",
    "[conv, 64]": "conv: 64",
    "{type: Conv2D, filters: 8, kernel_size: 5}": "conv: {filters: 8, kernel_size: 5}",
    "Conv(64, 3)": "conv: {filters: 64, kernel_size: 3}",
    "nn.Conv2d(3, 64, 3)": "conv: {filters: 64, kernel_size: 3}",
    "Conv2D(32, (3, 3), padding='same')": "conv: {filters: 32, kernel_size: 3, padding: same}",
    "nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)": (
        "conv: {filters: 64, kernel_size: 7, strides: 2, padding: 3, use_bias: false}"
    ),
    "nn.Linear(512, 10)": "dense: 10",
    "Linear: {in_features: 3, out_features: 10}": "dense: 10",
    "fc: 10": "dense: 10",
    "deconv: 8": "conv_transpose: 8",
    "batchnorm": "bn",
    "batch_normalization": "bn",
    "nn.BatchNorm2d(64)": "bn",
    "LayerNorm: 64": "layer_norm",
    "nn.ReLU": "relu",
    "Conv2D: 8": "conv: 8",
    "MaxPooling2D: 2": "maxpool: 2",
    "MaxPool2d(kernel_size=2, stride=2)": "maxpool: {pool_size: 2, strides: 2}",
    "AdaptiveAvgPool2d(1)": "adaptive_avgpool: 1",
    "GlobalAveragePooling2D": "global_avgpool",
    "ZeroPadding2D: 1": "zero_pad: 1",
    "tf.keras.layers.Dense: 10": "dense: 10",
    "instance_norm": "group_norm: $channels",
    "activation: ReLU": "- relu",
    "softmax: yes": "softmax",
    "softmax: true": "softmax",
}


@pytest.mark.parametrize("layer", FORMS)
def test_the_help_is_the_layer_that_was_meant_and_is_valid(layer: str) -> None:
    help = wrong(layer).help or ""
    assert help.startswith(f"write `{FORMS[layer]}`")
    tail = "  - flatten\n" if "dense" in help else ""
    text = HEAD.removesuffix("  - ") + tail + f"  - {FORMS[layer].removeprefix('- ')}\n"
    assert compile_spec(parse(Source("net.yaml", text))).layers


@pytest.mark.parametrize(
    ("layer", "help"),
    [
        ("conv: {out_channels: 8}", "did you mean `filters`?"),
        ("dense: {filters: 8}", "did you mean `units`?"),
        ("dropout: {p: 0.5}", "did you mean `rate`?"),
        ("maxpool: {kernel_size: 2}", "did you mean `pool_size`?"),
        ("conv: {in_channels: 3, filters: 8}", "leave it out: it follows from the layer before"),
        ("conv: {filters: 8, activation: ReLU}", "write the activation as the next layer: `- relu`"),
        ("{conv: 8, activation: relu}", "write the activation as the next layer: `- relu`"),
        ("conv: {filters: 8, name: c1}", "write `name` beside `conv`, not inside it: `{name: c1, conv: ...}`"),
        ("conv: {filters=8}", "write `filters: 8`"),
        ("conv: {8, 3}", "write the name of each argument: `conv: {filters: 8}`"),
        ("conv: filters: 8", "put the inner mapping in braces: `conv: {filters: 8}`"),
        ("conv: {filters: 8, kernel_size: 3x3}", "write `3`"),
        ("maxpool: [2, 2, same]", "write `maxpool: {pool_size: ..., padding: same}`"),
        ("lambda: x", "write the function with operators"),
        ("window_attention: {num_heads: 1, bias: relative}", "the relative position bias is always there"),
        ("LSTM: 8", "archspec has no operators for text and recurrent networks"),
        ("input: [3, 3, 3]", "the input is given once, at the top of the spec"),
    ],
)
def test_arguments_and_names_without_a_counterpart(layer: str, help: str) -> None:
    assert (wrong(layer).help or "").startswith(help)


def test_a_missing_argument_under_another_name_is_one_error() -> None:
    with pytest.raises(ArchspecError) as raised:
        parse(Source("net.yaml", f"{HEAD}conv: {{out_channels: 8}}\n"))
    assert [each.code for each in raised.value.diagnostics] == ["unknown-argument"]


def test_a_block_is_called_by_its_own_arguments() -> None:
    text = "name: net\ninput: [8, 8, 3]\nblocks: {unit: {args: [width, depth: 1], layers: [conv: $(width * depth)]}}\n"
    with pytest.raises(ArchspecError, match=re.escape("write `unit: {width: 8, depth: 2}`")):
        parse(Source("net.yaml", f'{text}layers: ["unit(8, 2)"]\n'))


@pytest.mark.parametrize(
    ("section", "help"),
    [
        ("train: {loss: CrossEntropyLoss}", "did you mean `categorical_crossentropy`?"),
        ("train: {loss: mse}", "did you mean `mean_squared_error`?"),
        ("train: {schedule: CosineAnnealingLR}", "did you mean `cosine`?"),
        ("train: {schedule: ReduceLROnPlateau}", "did you mean `plateau`?"),
        ("train: {augment: [flip]}", "did you mean `random_flip`?"),
        ("train: {augment: [RandomHorizontalFlip: 0.5]}", "did you mean `random_flip`?"),
        ("preprocess: [ToTensor]", "did you mean `scale`?"),
        ("train: {augment: [RandomRotation]}", LACKING),
        ("train: {augment: [random_zoom: 0.2]}", LACKING),
        ("train: {optimizer: RMSprop}", "did you mean `rmsprop`?"),
        ("train: {optimizer: {name: sgd}}", "write `optimizer: {sgd: {...}}`"),
        ("evaluate: {protocols: [10-crop]}", "did you mean `ten-crop`?"),
    ],
)
def test_names_of_recipes(section: str, help: str) -> None:
    with pytest.raises(ArchspecError) as raised:
        parse(Source("net.yaml", f"name: net\ninput: [8, 8, 3]\nlayers: [flatten, dense: 3]\n{section}\n"))
    assert raised.value.diagnostics[0].help == help


def test_the_tables_name_operators_and_arguments_that_exist() -> None:
    assert OPERATORS.keys() <= set(OPS)
    known = {argument.name for each in (*OPS.values(), *SCHEDULES.values()) for argument in arguments(each)}
    assert {name for names in ARGUMENTS.values() for name in names} <= known
    assert not set(ARGUMENTS) & set(NEEDLESS)
    assert RECIPES.keys() <= {*LOSSES, *SCHEDULES, *TRANSFORMS, *PROTOCOLS, *INITIALIZERS}
    assert KEYS.keys() <= {"", *spec_schema()["properties"]}
