"""`init:` of a recipe: which weights start from what, as papers and Keras have it."""

import inspect
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec import api
from archspec.declare import arguments
from archspec.diagnostics import ArchspecError
from archspec.graph.patterns import check_pattern, matches, partner
from archspec.graph.select import initializers
from archspec.lang.recipes.initializers import INITIALIZERS
from archspec.runtime.models.build import seed_everything
from archspec.runtime.models.model_file import load_model
from archspec.runtime.training.records.progress import TrainingProgress
from archspec.runtime.training.train import train

SPEC = """
name: net
input: [8, 8, 4]
params: {classes: 5}
layers:
  - {name: conv1, conv: {filters: 16, kernel_size: 3}}
  - bn
  - relu
  - {name: conv2, conv: {filters: 64, kernel_size: 3, groups: 2}}
  - flatten
  - {name: fc, dense: $classes}
  - softmax
train:
  init:
"""


@pytest.fixture
def spec(tmp_path: Path) -> Any:
    """The network of SPEC with these rules."""

    def load(*rules: str) -> archspec.Network:
        return archspec.load(str(written(tmp_path, *rules)))

    return load


def written(folder: Path, *rules: str) -> Path:
    path = folder / "net.yaml"
    path.write_text(SPEC + "".join(f"    {rule}\n" for rule in rules))
    return path


def built(network: archspec.Network, seed: int = 0) -> Any:
    seed_everything(seed)
    return network.build(init=True)


def weight(model: Any, layer: str, index: int = 0) -> np.ndarray:
    return np.asarray(model.get_layer(layer).get_weights()[index])


def test_every_initializer_is_keras_own_with_its_arguments_and_defaults() -> None:
    """All but `stft`, a Fourier transform; the axes of fans are for kernels in another layout than Keras's."""
    lower = {name: each for name, each in vars(keras.initializers).items() if inspect.isclass(each) and name.islower()}
    assert set(INITIALIZERS) == set(lower) - {"stft"}
    for name, declared in INITIALIZERS.items():
        parameters = inspect.signature(lower[name].__init__).parameters.values()
        theirs = {each.name: each.default for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD}
        for unused in ("self", "seed", "input_axes", "output_axes"):
            theirs.pop(unused, None)
        ours = {each.name: each.default for each in arguments(declared) if each.name != "variance"}
        assert list(ours) == list(theirs), name
        assert ours == theirs, name


def test_alexnet_starts_as_in_section_5() -> None:
    """N(0, 0.01^2); biases 1 in the second, fourth and fifth convolution and the hidden dense layers, else 0."""
    model = built(archspec.load("alexnet", size=67))
    kernels = [weight(model, name) for name in ("conv2", "conv3", "fc6.fc.dense", "fc8")]
    for kernel in kernels:
        error = 0.01 / np.sqrt(2 * kernel.size)  # of a standard deviation from so many draws
        assert kernel.std() == pytest.approx(0.01, abs=5 * error)
        assert abs(kernel.mean()) < 5 * 0.01 / np.sqrt(kernel.size)
    biases = {name: weight(model, name, 1) for name in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc8")}
    biases |= {name: weight(model, f"{name}.fc.dense", 1) for name in ("fc6", "fc7")}
    ones = {name for name, bias in biases.items() if (bias == 1).all()}
    assert ones == {"conv2", "conv4", "conv5", "fc6", "fc7"}
    assert all((bias == 0).all() for name, bias in biases.items() if name not in ones)


def test_resnet_starts_with_variance_2_over_the_inputs_of_a_unit() -> None:
    """He et al. 2015, equation 10: a normal distribution, not truncated; conv4_x has 3 * 3 * 64 inputs."""
    model = built(archspec.load("resnet-cifar:20"))
    drawn = np.concatenate([weight(model, f"conv4_x.{i}.basic.conv_bn_2.conv").ravel() for i in (1, 2, 3)])
    assert drawn.std() == pytest.approx(np.sqrt(2 / 576), rel=5 / np.sqrt(2 * drawn.size))
    assert np.abs(drawn).max() > 3.5 * drawn.std()  # one in 2,150 of a normal distribution, none of a truncated one


def test_a_variance_is_said_as_papers_say_it(spec: Any) -> None:
    """Simonyan & Zisserman 2014, section 3.1: 10^-2 variance, which is a standard deviation of 0.1."""
    model = built(spec("conv: {random_normal: {variance: 1e-2}}"))
    kernel = weight(model, "conv2")
    assert kernel.std() == pytest.approx(0.1, rel=5 / np.sqrt(2 * kernel.size))


def test_the_last_rule_decides_and_others_keep_keras_own(spec: Any) -> None:
    model = built(
        spec(
            "conv: zeros",
            "conv2: {constant: 3}",
            "'**': {bias: {constant: 2}}",
            "fc: {bias: ones}",
            "bn: {gamma: zeros, moving_variance: {constant: 4}}",
        )
    )
    assert (weight(model, "conv1") == 0).all()
    assert (weight(model, "conv2") == 3).all()
    assert [weight(model, name, 1)[0] for name in ("conv1", "conv2", "fc")] == [2, 2, 1]
    gamma, beta, mean, variance = model.get_layer("bn").get_weights()
    assert [each[0] for each in (gamma, beta, mean, variance)] == [0, 0, 0, 4]
    assert weight(model, "fc").std() > 0


def test_a_seed_fixes_every_weight_whatever_else_changes(spec: Any) -> None:
    one, other = ("conv: he_normal", "fc: orthogonal"), ("conv1: he_normal", "fc: orthogonal", "bn: {gamma: zeros}")
    first, again, changed = built(spec(*one), 7), built(spec(*one), 7), built(spec(*other), 7)
    for name in ("conv1", "fc"):
        np.testing.assert_array_equal(weight(first, name), weight(again, name))
        np.testing.assert_array_equal(weight(first, name), weight(changed, name))
    assert (weight(first, "conv1") != weight(built(spec(*one), 8), "conv1")).any()
    assert (weight(first, "conv1")[..., 0] != weight(first, "conv1")[..., 1]).any()


def test_rules_that_speak_of_nothing_are_told_with_their_line(spec: Any, tmp_path: Path) -> None:
    cases = {
        "convv2: zeros": ("unmatched-pattern", "did you mean `conv2`?"),
        "fc: {gamma: ones}": ("unmatched-weight", "their weights are: kernel, bias"),
        "bn: he_normal": ("unmatched-weight", "their weights are: gamma, beta, moving_mean, moving_variance"),
        "conv: he_norml": ("wrong-value", "did you mean `he_normal`?"),
        "conv: {he_normal: , zeros: }": ("wrong-value", None),
        "conv: {weight: zeros}": ("unknown-key", None),
        "'conv[z-a]': zeros": ("bad-pattern", "for example, `conv[245]`"),
    }
    for rule, (code, help) in cases.items():
        (diagnostic,) = api.check(str(written(tmp_path, rule)))
        assert diagnostic.code == code, rule
        assert help in (None, diagnostic.help), diagnostic.help
        if code != "bad-pattern":
            assert diagnostic.span is not None
            assert diagnostic.span.line == 15, rule
    with pytest.raises(
        ArchspecError, match=r"error\[initializer\]: `identity` does not support the shape 3x3x4x16 of .*`conv1`"
    ):
        built(spec("conv: identity"))


def test_an_operator_that_another_variant_has_is_no_mistake(spec: Any) -> None:
    network = spec("depthwise_conv: he_normal", "conv: zeros")
    assert {path for path, _ in initializers(network.graph(), network.recipe.init)} == {"conv1", "conv2"}


@pytest.mark.parametrize("place", ["spec", "recipe"])
def test_training_starts_from_the_rules_wherever_they_stand(place: str, tmp_path: Path) -> None:
    recipe = "epochs: 1\noptimizer: {sgd: {learning_rate: 1e-12}}\ninit: {dense: {constant: 0.25}}\n"
    net = "name: net\ninput: [8, 8, 1]\nlayers: [flatten, {name: fc, dense: 10}, softmax]\n"
    (tmp_path / "recipe.yaml").write_text(recipe)
    (tmp_path / "net.yaml").write_text(
        net + (f"train: {{{recipe.strip().replace(chr(10), ', ')}}}\n" if place == "spec" else "")
    )
    network = api.load(str(tmp_path / "net.yaml"), recipe=str(tmp_path / "recipe.yaml") if place == "recipe" else None)
    train(network, "digits", out=tmp_path / "run", progress=TrainingProgress(quiet=True))
    last = load_model(tmp_path / "run" / "last.keras")[0]
    np.testing.assert_allclose(weight(last, "fc"), 0.25, atol=1e-6)


def test_a_recipe_keeps_its_rules_in_run_json_and_in_the_resolved_spec(spec: Any, tmp_path: Path) -> None:
    from archspec.lang.recipes.recipe import recipe, recipe_json

    rules = ("conv: {random_normal: {variance: 1e-2}}", "fc: {bias: ones, kernel: he_normal}")
    given = spec(*rules, "#\n  freeze: [conv1]\n  rate_multipliers: {conv2: 0.1}")
    assert (given.recipe.freeze, given.recipe.rate_multipliers) == (("conv1",), {"conv2": 0.1})
    assert recipe(recipe_json(given.recipe)) == given.recipe
    (tmp_path / "resolved.yaml").write_text(given.resolved_text())
    assert archspec.load(str(tmp_path / "resolved.yaml")).recipe == given.recipe


# ---- patterns ------------------------------------------------------------------------------------------------------

WORDS = st.from_regex(r"[a-z0-9_-]{1,6}", fullmatch=True)
PATHS = st.lists(WORDS, min_size=1, max_size=4).map("/".join)


@given(PATHS, PATHS)
def test_a_path_is_its_own_pattern_and_no_other(one: str, other: str) -> None:
    assert matches(one, one)
    assert matches(one, other) == (one == other)
    assert matches("**", one)
    assert matches("*", one) == ("/" not in one)


@given(PATHS, PATHS)
def test_what_is_inside_and_what_ends_so(one: str, other: str) -> None:
    assert matches(f"{one}/**", one)
    assert matches(f"{one}/**", f"{one}/{other}")
    assert matches(f"**/{one}", f"{other}/{one}")
    assert matches(f"**/{one}", one)
    assert not matches(f"{one}/**", f"{one}x/{other}")


@given(WORDS, WORDS, PATHS)
def test_a_partner_has_the_words_of_the_wildcards(here: str, there: str, inside: str) -> None:
    assert partner(f"{here}/{inside}", f"{here}/**", f"{there}/**") == f"{there}/{inside}"
    assert partner(here, f"{here}/**", f"{there}/**") == there
    assert partner(f"{here}2/{inside}", f"{here}[12]/**", f"{there}[12]/**") == f"{there}2/{inside}"
    assert partner(f"{here}/{inside}", f"{here}.", f"{there}") is None


def test_patterns_are_bounded() -> None:
    for pattern in ("", "*a" * 9, "a" * 201):
        with pytest.raises(ArchspecError, match="bad-pattern"):
            check_pattern(pattern)
    with pytest.raises(ArchspecError, match="has more wildcards"):
        partner("a", "a", "*")
    assert matches("a[!b]", "ac")
    assert not matches("a[!b]", "ab")
    assert matches("a?/[", "ab/[")
