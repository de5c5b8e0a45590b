"""Data parallelism: training on several replicas gives the weights of training on one.

Logical CPU devices must be created before TensorFlow starts, so the measurements run in a process of their own.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import Any

import pytest

from archspec.diagnostics import ArchspecError

EXAMPLES = 31  # the last batch of 10 has a single example: fewer than the replicas


def measure(replicas: int) -> dict[str, Any]:
    """What the tests below assert, in a process with so many logical devices."""
    import keras
    import numpy as np

    from archspec.lang.recipes.optimizers import Sgd
    from archspec.lang.recipes.recipe import Recipe
    from archspec.runtime.distributed.strategy import describe, make_strategy, replicas_in_step
    from archspec.runtime.models.classifier import logits_of
    from archspec.runtime.system.tensorflow_import import import_tensorflow
    from archspec.runtime.training import replica_batches as loop
    from archspec.runtime.training import train_step as step_module
    from archspec.runtime.training.loop import count

    tf = import_tensorflow()
    seen, tf.config.get_visible_devices = tf.config.get_visible_devices, lambda kind: [f"a {kind}"]
    several = make_strategy(f"cpu:{replicas}")  # even beside GPUs
    tf.config.get_visible_devices = seen
    single = tf.distribute.MirroredStrategy(["/cpu:0"])
    generator = np.random.default_rng(0)
    x = generator.normal(size=(EXAMPLES, 7, 6, 3)).astype(np.float32)
    y = generator.integers(0, 7, EXAMPLES).astype(np.int32)
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(10)
    recipe = Recipe(optimizer=Sgd(momentum=0.9), weight_decay=0.01, label_smoothing=0.1)

    def train(strategy: Any) -> dict[str, Any]:
        keras.utils.set_random_seed(0)
        with strategy.scope():
            inputs = keras.Input((7, 6, 3))
            hidden = keras.layers.Conv2D(5, 3, strides=2, padding="same", use_bias=False)(inputs)
            hidden = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.8)(hidden))
            hidden = keras.layers.MaxPooling2D(2)(keras.layers.Conv2D(4, 3, padding="same")(hidden))
            outputs = keras.layers.Softmax()(keras.layers.Dense(7)(keras.layers.Flatten()(hidden)))
            model = keras.Model(inputs, outputs)
            logits_model = logits_of(model)
        step = step_module.TrainStep(strategy, model, recipe)
        iterator = iter(loop.replica_batches(strategy, batches.repeat(3)))
        scores = [np.asarray(step(iterator, 0.05)).tolist() for _ in range(12)]
        count_step = loop.make_count_step(strategy, logits_model)
        score = count(count_step, loop.replica_batches(strategy, batches), 4)
        weights = np.concatenate([weight.ravel() for weight in model.get_weights()])
        restored = not any(getattr(layer, "synchronized", False) for layer in model.layers)
        return {
            "scores": scores,
            "score": vars(score),
            "weights": weights,
            "restored": restored,
        }

    one, many = train(single), train(several)
    in_step, step_module.replicas_in_step = step_module.replicas_in_step, lambda *_: contextlib.nullcontext()
    apart = train(several)
    step_module.replicas_in_step = in_step

    with several.scope():
        dropout = keras.Sequential([keras.Input((64,)), keras.layers.Dropout(0.5)])

    def masks(together: bool) -> int:
        """The number of different masks that the replicas draw."""

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def draw() -> Any:
            with replicas_in_step(dropout, replicas) if together else contextlib.nullcontext():
                return several.run(lambda: dropout(tf.ones((1, 64)), training=True))

        return len({mask.numpy().tobytes() for mask in several.experimental_local_results(draw())})

    late = None
    try:
        make_strategy(5)
    except ArchspecError as error:
        late = error.diagnostics[0].code

    return {
        "devices": describe(several),
        "same": make_strategy(str(replicas)) is several,
        "moved": float(np.abs(one["weights"]).max()),
        "distance": float(np.abs(many["weights"] - one["weights"]).max()),
        "apart": float(np.abs(apart["weights"] - one["weights"]).max()),
        "scores": [run["scores"] for run in (one, many)],
        "counted": [run["score"] for run in (one, many)],
        "restored": one["restored"] and many["restored"],
        "masks": [masks(together=True), masks(together=False)],
        "late": late,
    }


@pytest.fixture(scope="module", params=[pytest.param(2, marks=pytest.mark.slow), 3])
def measured(request: pytest.FixtureRequest) -> dict[str, Any]:
    command = [sys.executable, __file__, str(request.param)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    result: dict[str, Any] = {"replicas": request.param, **json.loads(ran.stdout.splitlines()[-1])}
    return result


def test_weights_are_those_of_one_replica(measured: dict[str, Any]) -> None:
    """With batch normalization, weight decay, momentum, an uneven batch and one smaller than the replicas."""
    assert measured["devices"] == f"{measured['replicas']} logical CPU devices"
    assert measured["same"]
    assert measured["moved"] > 0.1
    assert measured["distance"] < 1e-5


def test_weights_differ_without_synchronized_batch_normalization(measured: dict[str, Any]) -> None:
    assert measured["apart"] > 1e-3


def test_loss_and_counts_are_those_of_one_replica(measured: dict[str, Any]) -> None:
    one, many = measured["scores"]
    for expected, given in zip(one, many, strict=True):
        assert given == pytest.approx(expected, rel=1e-4)
    one, many = measured["counted"]
    assert one.pop("counts") == many.pop("counts") == []  # of other targets than classes
    assert many == pytest.approx(one, rel=1e-5)
    assert one["examples"] == EXAMPLES


def test_layers_are_restored_afterwards(measured: dict[str, Any]) -> None:
    assert measured["restored"]


def test_each_replica_draws_its_own_dropout_mask(measured: dict[str, Any]) -> None:
    """Without `replicas_in_step` all draw the same one."""
    assert measured["masks"] == [measured["replicas"], 1]


def test_devices_cannot_be_requested_after_tensorflow_has_started(measured: dict[str, Any]) -> None:
    assert measured["late"] == "devices-late"


@pytest.mark.parametrize("devices", ["0", "two", "-1", 0, "cpu", "cpu:", "cpu:0", "cpu:x", "gpu:2"])
def test_other_numbers_of_devices_are_refused(devices: Any) -> None:
    from archspec.runtime.distributed.strategy import make_strategy

    with pytest.raises(ArchspecError) as caught:
        make_strategy(devices)
    assert caught.value.diagnostics[0].code == "devices"


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
