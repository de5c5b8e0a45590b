"""The law of data parallelism, for all that a recipe may ask of a step: N replicas give what one gives.

Logical CPU devices must be made before TensorFlow runs anything, so it happens in a process of its own
for each number of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

EXAMPLES = 31  # in batches of 10 the last one has a single example: fewer than the replicas
STEPS = 4  # an epoch
CASES = ("everything", "auxiliary", "mixed", "targets", "overflow")
REPLICAS = (2, 3)
LAYERS = "layers"
"""A case of its own, on four replicas: layers of other dimensions, frozen ones, and rates of their own."""


def measure(replicas: int) -> dict[str, Any]:
    """What the tests below assert: for each case, what a few epochs leave behind on one device and on several."""
    import keras
    import numpy as np

    from archspec.lang.recipes.losses import CategoricalFocalCrossentropy, Huber
    from archspec.lang.recipes.optimizers import AdamW, Sgd
    from archspec.lang.recipes.recipe import Recipe
    from archspec.runtime.distributed.strategy import make_strategy
    from archspec.runtime.system.tensorflow_import import import_tensorflow
    from archspec.runtime.training.optimization import optimizer as loss_scale
    from archspec.runtime.training.replica_batches import replica_batches
    from archspec.runtime.training.train_step import TrainStep
    from archspec.targets import TARGETS, OutputTarget, OutputTargets

    tf = import_tensorflow()
    many_devices = make_strategy(replicas)
    single = tf.distribute.MirroredStrategy(["/cpu:0"])
    generator = np.random.default_rng(0)
    x = generator.normal(size=(EXAMPLES, 6, 5, 3)).astype(np.float32)
    y = generator.integers(0, 4, EXAMPLES).astype(np.int32)
    mixed = generator.dirichlet(np.ones(4), EXAMPLES).astype(np.float32)
    kinds = {"classes": 4, "binary": 1, "multi-label": 3, "numbers": 2}
    targets = OutputTargets(
        tuple(OutputTarget(TARGETS[kind](), units, kind, center=(0.5,) * units) for kind, units in kinds.items())
    )
    bits = generator.integers(0, 2, (EXAMPLES, 4))
    several = np.concatenate([y[:, None], bits, generator.normal(size=(EXAMPLES, 2))], axis=1).astype(np.float32)
    loss_scale.GROWTH = 3

    def layers(inputs: Any) -> Any:
        """Batch normalization of series and volumes, group and layer normalization, a frozen normalization."""
        hidden = keras.layers.Conv2D(6, 3, padding="same", trainable=False)(inputs)
        hidden = keras.layers.BatchNormalization(momentum=0.8, trainable=False, name="frozen")(hidden)
        hidden = keras.layers.GroupNormalization(2)(keras.layers.Conv2D(4, 3, padding="same")(hidden))
        hidden = keras.layers.Conv1D(5, 3, padding="same")(keras.layers.Reshape((30, 4))(hidden))
        hidden = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.8, name="series")(hidden))
        hidden = keras.layers.Conv3D(4, 2, padding="same")(keras.layers.Reshape((5, 3, 2, 5))(hidden))
        hidden = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.8, name="volumes")(hidden))
        return keras.layers.LayerNormalization()(keras.layers.GlobalAveragePooling3D()(hidden))

    def network(case: str) -> Any:
        inputs = keras.Input((6, 5, 3))
        if case == LAYERS:
            hidden = layers(inputs)
        elif case in ("mixed", "overflow"):
            hidden = keras.layers.Dense(8, activation="relu")(keras.layers.Flatten()(inputs))
        else:
            hidden = keras.layers.Conv2D(5, 3, padding="same", use_bias=False)(inputs)
            hidden = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.8)(hidden))
            hidden = keras.layers.GlobalAveragePooling2D()(hidden)
        outputs = [keras.layers.Softmax()(keras.layers.Dense(4)(hidden))]
        if case == "auxiliary":
            outputs.append(keras.layers.Softmax()(keras.layers.Dense(4)(keras.layers.Flatten()(inputs))))
        if case == "targets":
            scores = [keras.layers.Dense(units)(hidden) for units in (1, 3, 2)]
            outputs += [*(keras.layers.Activation("sigmoid")(each) for each in scores[:2]), scores[2]]
        return keras.Model(inputs, outputs)

    momentum = {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}
    recipes = {
        "everything": Recipe(
            optimizer=Sgd(
                **momentum, global_clipnorm=0.3, gradient_accumulation_steps=3, use_ema=True, ema_momentum=0.7
            ),
            weight_decay=0.01,
            label_smoothing=0.1,
        ),
        "auxiliary": Recipe(
            optimizer=AdamW(learning_rate=0.01, clipnorm=0.1, weight_decay=0.1, epsilon=1e-3),
            loss=CategoricalFocalCrossentropy(gamma=1.5, label_smoothing=0.2),
        ),
        "mixed": Recipe(optimizer=Sgd(**momentum, clipvalue=0.05, loss_scale_factor=64.0), weight_decay=0.01),
        "targets": Recipe(
            optimizer=Sgd(**momentum, gradient_accumulation_steps=2), loss=Huber(delta=0.5), weight_decay=0.01
        ),
        LAYERS: Recipe(optimizer=Sgd(**momentum, clipnorm=0.3, use_ema=True), weight_decay=0.01, label_smoothing=0.1),
        "overflow": Recipe(optimizer=Sgd(learning_rate=0.01), dtype_policy="mixed_float16"),
    }

    def train(case: str, strategy: Any) -> dict[str, Any]:
        recipe = recipes[case]
        keras.utils.set_random_seed(0)
        with strategy.scope():
            keras.config.set_dtype_policy(recipe.dtype_policy)
            model = network(case)
            keras.config.set_dtype_policy("float32")
        step = TrainStep(
            strategy,
            model,
            recipe,
            loss_weights=(1.0, 0.3, 0.7, 0.5)[: len(model.outputs)],
            class_weight=[0.5, 1.0, 2.0, 1.5] if case not in ("overflow", "targets") else None,
            targets=targets if case == "targets" else None,
            rate_factors=[(1.0, 0.5, 0.0)[i % 3] for i in range(len(model.trainable_variables))]
            if case == LAYERS
            else None,
        )
        before = [each.copy() for each in model.get_weights()]
        seen = np.array(x)
        if case == "overflow":
            seen[15] = 6e4  # in the second batch: more than float16 holds once it is added up
        labels = {"mixed": mixed, "targets": several}.get(case, y)
        batches = tf.data.Dataset.from_tensor_slices((seen, labels)).batch(10)
        iterator = iter(replica_batches(strategy, batches.repeat(3)))
        updates = [number in (2, 3) if case == "everything" else True for number in range(STEPS)]
        scores = [np.asarray(step(iterator, 0.05, updates[number % STEPS])).tolist() for number in range(3 * STEPS)]
        weights = [np.concatenate([each.ravel() for each in model.get_weights()])]
        with step.averaged():
            weights.append(np.concatenate([each.ravel() for each in model.get_weights()]))
        state = sorted(float(each.numpy()) for each in step.variables() if each.shape == ())
        moved = {
            name: max(
                float(np.abs(mine - its).max())
                for mine, its, variable in zip(model.get_weights(), before, model.weights, strict=True)
                if variable.path.split("/")[0] == name
            )
            for name in (("frozen", "series", "volumes") if case == LAYERS else ())
        }
        return {"scores": scores, "weights": weights, "state": state, "moved": moved}

    found: dict[str, Any] = {}
    for case in CASES if replicas in REPLICAS else (LAYERS,):
        one, many = train(case, single), train(case, many_devices)
        pairs = zip(many["weights"], one["weights"], strict=True)
        found[case] = {
            "distances": [float(np.abs(mine - its).max()) for mine, its in pairs],
            "scores": [one["scores"], many["scores"]],
            "state": [one["state"], many["state"]],
            "moved": many["moved"],
            "averaged": float(np.abs(one["weights"][0] - one["weights"][1]).max()),
        }
    return found


def run(replicas: int) -> Any:
    """What `measure` finds, in a process of its own."""
    command = [sys.executable, __file__, str(replicas)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.fixture(scope="module", params=[2, 3])  # 3 do not divide a batch of 10
def measured(request: pytest.FixtureRequest) -> Any:
    return run(request.param)


@pytest.mark.slow  # `test_strategy_replicas` has a small case
@pytest.mark.parametrize("case", CASES[:4])
def test_weights_and_figures_are_those_of_one_replica(case: str, measured: Any) -> None:
    """Clipping by every norm, decay in and beside the gradient, accumulation, averaging, weighted classes, smoothing,
    mixed labels, an auxiliary output, outputs with targets of their own, a scaled loss; batch normalization, an uneven
    batch, one smaller than the replicas."""
    found = measured[case]
    assert max(found["distances"]) < 1e-5
    one, many = found["scores"]
    for expected, given in zip(one, many, strict=True):
        assert given == pytest.approx(expected, rel=1e-5)
    assert (found["averaged"] > 1e-2) == (case == "everything")


@pytest.mark.slow
def test_layers_of_all_dimensions_frozen_ones_and_rates_of_their_own_on_four_replicas() -> None:
    found = run(4)[LAYERS]
    assert max(found["distances"]) < 1e-5
    one, many = found["scores"]
    for expected, given in zip(one, many, strict=True):
        assert given == pytest.approx(expected, rel=1e-5)
    assert found["moved"]["frozen"] == 0
    assert min(found["moved"]["series"], found["moved"]["volumes"]) > 1e-2


@pytest.mark.slow
def test_the_scale_of_the_loss_follows_the_whole_batch(measured: Any) -> None:
    """One example overflows, on one replica: all leave the update out, and the network stays the same to float16."""
    found = measured["overflow"]
    assert max(found["distances"]) < 2e-3
    one, many = found["state"]
    assert many == pytest.approx(one)
    # of 12 steps the second of every four overflows: 9 updates. The scale is halved three times, and doubled after
    # three good steps in a row: twice between the overflows
    assert 9 in one
    assert 2.0**15 / 2**3 * 2**2 in one


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
