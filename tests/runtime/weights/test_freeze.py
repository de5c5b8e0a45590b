"""Fine-tuning: frozen layers, rates of their own, another number of classes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

import archspec
from archspec.cli.main import cli
from archspec.diagnostics import ArchspecError
from archspec.graph.ir import Graph
from archspec.graph.select import frozen
from archspec.lang.recipes.optimizers import Adam, Optimizer, Sgd
from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.distributed.strategy import make_strategy
from archspec.runtime.models.model_file import load_model
from archspec.runtime.training.replica_batches import replica_batches
from archspec.runtime.training.train_step import TrainStep
from archspec.runtime.weights.freeze import freeze, rate_factors
from tests.runtime.dense.nets import graph
from tests.runtime.weights.random_weights import randomize

SPEC = """
name: net
input: [6, 5, 2]
layers:
  - {name: stem, conv: {filters: 4, kernel_size: 3, use_bias: false}}
  - {name: norm, bn: {momentum: 0.5}}
  - relu
  - {name: body, conv: {filters: 4, kernel_size: 2, use_bias: false}}
  - {name: norm2, bn: {momentum: 0.5}}
  - global_avgpool
  - {name: head, dense: 3}
  - softmax
"""


def trained(
    recipe: Recipe, spec: Graph, *, steps: int = 3, strategy: Any = None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Every variable by its path, before and after some steps of training with the recipe's frozen layers and rates."""
    strategy = strategy or make_strategy()
    with strategy.scope():
        from archspec.runtime.models.build import build_model

        model = randomize(build_model(spec))
    freeze(model, spec, recipe.freeze)
    factors = rate_factors(model, spec, recipe.rate_multipliers)
    before = {each.path: each.numpy() for each in model.variables}
    step = TrainStep(strategy, model, recipe, rate_factors=factors)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(10, 6, 5, 2)).astype("float32")
    y = generator.integers(0, 3, 10).astype("int32")
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(5).repeat(steps)
    iterator = iter(replica_batches(strategy, batches))
    for _ in range(steps):
        step(iterator, recipe.optimizer.learning_rate)
    return before, {each.path: each.numpy() for each in model.variables}


def test_the_pattern_of_a_block_is_answered_with_that_of_its_layers() -> None:
    """`conv2_x` and `conv2*` name blocks; `conv9*` names nothing."""
    resnet = archspec.load("resnet:18").graph()
    for pattern, inside in (("conv2*", "conv2*/**"), ("conv2_x/", "conv2_x/**"), ("conv9*", None)):
        with pytest.raises(ArchspecError, match="no layer with weights matches") as caught:
            frozen(resnet, [pattern])
        help = caught.value.diagnostics[0].help
        assert help == (f"a pattern matches whole paths; write `{inside}` for the layers inside" if inside else None)


def test_frozen_layers_keep_weights_and_moments_and_others_learn() -> None:
    """Of batch normalization the moving mean and variance as well; `weight_decay` does not reach them."""
    before, after = trained(Recipe(freeze=("stem/**", "norm"), weight_decay=0.1), graph(SPEC))
    for path, value in before.items():
        if path.split("/")[0] in ("stem", "norm"):
            np.testing.assert_array_equal(after[path], value)
        elif path.split("/")[0] in ("body", "norm2", "head"):
            assert (after[path] != value).any(), path


def test_frozen_batch_normalization_works_by_its_moving_statistics() -> None:
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta with the moving ones, in training too."""
    spec = graph(SPEC)
    from archspec.runtime.models.build import build_model

    model = randomize(build_model(spec))
    freeze(model, spec, ["norm"])
    layer = model.get_layer("norm")
    gamma, beta, mean, variance = layer.get_weights()
    x = np.random.default_rng(0).normal(3, 2, (4, 4, 3, 4)).astype("float32")
    expected = gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta
    np.testing.assert_allclose(np.asarray(layer(x, training=True)), expected, atol=1e-5)
    moving = np.asarray(model.get_layer("norm2")(x, training=True))
    assert abs(moving.mean() - np.asarray(model.get_layer("norm2").beta).mean()) < 1e-3  # not frozen: the batch's own


@pytest.mark.parametrize(
    "optimizer",
    [
        Sgd(learning_rate=0.1),
        Sgd(learning_rate=0.1, momentum=0.9, nesterov=True),
        Adam(learning_rate=0.01, weight_decay=0.1),
    ],
    ids=["sgd", "nesterov", "adam"],
)
def test_a_factor_is_another_learning_rate(optimizer: Optimizer) -> None:
    """With a factor for every layer the run is that of the optimizer with the product as its rate."""
    from dataclasses import replace

    spec = graph(SPEC)
    slower = replace(optimizer, learning_rate=optimizer.learning_rate * 0.25)
    _, expected = trained(Recipe(optimizer=slower), spec)
    _, found = trained(Recipe(optimizer=optimizer, rate_multipliers={"**": 0.25}), spec)
    for path, value in expected.items():
        np.testing.assert_allclose(found[path], value, atol=2e-6, err_msg=path)


def test_the_last_factor_that_fits_decides_and_the_first_step_is_so_much_shorter() -> None:
    """Of plain gradient descent, whose first step is the rate times the gradient."""
    spec = graph(SPEC)
    start, plain = trained(Recipe(optimizer=Sgd(learning_rate=0.1)), spec, steps=1)
    factors = {"**": 0.5, "head": 1.0, "body": 0.125}
    _, found = trained(Recipe(optimizer=Sgd(learning_rate=0.1), rate_multipliers=factors), spec, steps=1)
    for path, factor in {"stem/kernel": 0.5, "norm/gamma": 0.5, "body/kernel": 0.125, "head/bias": 1.0}.items():
        expected = start[path] + factor * (plain[path] - start[path])
        np.testing.assert_allclose(found[path], expected, atol=1e-6, err_msg=path)
        assert (plain[path] != start[path]).any()


def test_nothing_is_left_to_train_or_no_layer_is_meant() -> None:
    spec = graph(SPEC)
    model = keras.Sequential()
    with pytest.raises(ArchspecError, match=r"error\[nothing-to-train\]"):
        freeze(model, spec, ["**"])
    with pytest.raises(ArchspecError, match="did you mean `stem`"):
        freeze(model, spec, ["stam/**"])
    with pytest.raises(ArchspecError, match="no layer with weights matches `x`"):
        rate_factors(model, spec, {"x": 2.0})


REPLICAS = """
import numpy as np
from archspec.lang.recipes.recipe import Recipe
from archspec.lang.recipes.optimizers import Sgd
from archspec.runtime.system.tensorflow_import import import_tensorflow
from archspec.runtime.distributed.strategy import make_strategy
tf = import_tensorflow()
two = make_strategy("2")
from tests.runtime.weights.test_freeze import SPEC, graph, trained
recipe = Recipe(optimizer=Sgd(learning_rate=0.1, momentum=0.9), freeze=("stem",), rate_multipliers={"body": 0.1})
one = tf.distribute.MirroredStrategy(["/cpu:0"])
_, single = trained(recipe, graph(SPEC), strategy=one)
_, several = trained(recipe, graph(SPEC), strategy=two)
assert two.num_replicas_in_sync == 2
print(max(np.abs(single[path] - several[path]).max() for path in single))
"""


@pytest.mark.slow
def test_two_replicas_give_the_weights_of_one() -> None:
    """Logical devices are made before TensorFlow runs, so in a process of its own."""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", REPLICAS], capture_output=True, text=True, check=False, timeout=300, cwd=root
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1]) < 1e-5


DIGITS = """
name: small
input: [8, 8, 1]
params: {classes: 10}
preprocess: [scale: $(1 / 16)]
layers:
  - {name: conv1, conv: {filters: 8, kernel_size: 3, use_bias: false}}
  - {name: bn1, bn: }
  - relu
  - flatten
  - {name: fc, dense: $classes}
  - softmax
train: {batch_size: 256, epochs: 1, init: {conv: he_normal}}
"""


def test_a_network_of_other_classes_is_tuned_behind_frozen_layers(tmp_path: Path) -> None:
    """From four classes to ten: the old layers by the map, the new classifier from its initialization."""
    spec = tmp_path / "small.yaml"
    spec.write_text(DIGITS)
    old = archspec.load(str(spec), classes=4)
    from archspec.runtime.models.metadata import Metadata
    from archspec.runtime.models.model_file import save_model

    source = randomize(old.build())
    save_model(source, tmp_path / "old.keras", Metadata(spec=old.resolved_text()))
    arguments = ["train", spec, "--data", "digits", "-o", tmp_path / "run", "--init-from", tmp_path / "old.keras"]
    arguments += ["--init-map", "conv1/**", "--init-map", "bn*", "--freeze", "conv1/**", "--freeze", "bn1"]
    done = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "fc     288x10 + 10" in done.output
    assert "not used: fc" in done.output
    assert "conv1/**, bn1 frozen" in done.output
    model, _ = load_model(tmp_path / "run" / "last.keras")
    for name in ("conv1", "bn1"):
        for one, other in zip(model.get_layer(name).get_weights(), source.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    again = CliRunner().invoke(cli, [*map(str, arguments[:4]), "-o", str(tmp_path / "b"), "--init-map", "conv1"])
    assert again.exit_code != 0
    assert "--init-map selects layers" in str(again.output) + str(again.exception)
