"""Training resnet:50 at 224 pixels on a GPU: step time, wait for data, and utilization, beside PyTorch.

    python benchmarks/gpu.py [--batch-size 256] [--seconds 20]

Each setting is a process. On TensorFlow: float32, `mixed_bfloat16`, batch normalization of Keras instead of the fused
kernel, and XLA. On JAX: one compiled step made of Keras's `stateless_call` and `stateless_apply`. On PyTorch: the same
layers in channels_last, under autocast, as they are and under `torch.compile`. A setting whose library is missing is
skipped. The data is random and lies on the device, except for the wait of TensorFlow's pipeline. Utilization is that of
nvidia-smi, sampled once a second. Takes about five minutes. Without a GPU it says so and exits with 0.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import archspec

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "float32": {},
    "mixed_bfloat16": {"policy": "mixed_bfloat16"},
    "mixed_bfloat16, Keras's bn": {"policy": "mixed_bfloat16", "plain": True},
    "mixed_bfloat16, XLA": {"policy": "mixed_bfloat16", "xla": True},
    "JAX, float32": {"backend": "jax"},
    "JAX, mixed_bfloat16": {"policy": "mixed_bfloat16", "backend": "jax"},
    "PyTorch, float32 (TF32)": {"backend": "torch"},
    "PyTorch, bfloat16": {"backend": "torch", "dtype": "bfloat16"},
    "PyTorch, bfloat16, compile": {"backend": "torch", "dtype": "bfloat16", "compile": True},
}
REFERENCE = "resnet:50"


def measure(setting: Mapping[str, Any], batch: int, seconds: float) -> dict[str, float]:
    """Seconds of a step of `fit` or `TrainStep` in this process."""
    import numpy as np

    if setting.get("backend") == "jax":
        return measure_jax(setting, batch, seconds)
    if setting.get("backend") == "torch":
        return measure_torch(setting, batch, seconds)
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf = import_tensorflow()
    import keras

    from archspec.lang.recipes.recipe import Recipe
    from archspec.runtime.distributed.strategy import make_strategy
    from archspec.runtime.training.replica_batches import replica_batches
    from archspec.runtime.training.train_step import TrainStep

    if setting.get("xla"):
        tf.config.optimizer.set_jit("autoclustering")
    keras.config.set_dtype_policy(setting.get("policy", "float32"))
    strategy = make_strategy(1)
    with strategy.scope():
        model = archspec.build(REFERENCE)
        if setting.get("plain"):
            model = keras.models.clone_model(model)
    step = TrainStep(strategy, model, Recipe())
    x = tf.random.normal((batch, *model.input_shape[1:]))
    data = tf.data.Dataset.from_tensors((x, tf.zeros(batch, tf.int32))).cache().repeat()
    iterator = iter(replica_batches(strategy, data))
    for _ in range(3):
        np.asarray(step(iterator, 0.01))
    waited, steps, start = float(step.waited.numpy()), 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for _ in range(5):
            vector = step(iterator, 0.01)
        np.asarray(vector)
        steps += 5
    taken = time.perf_counter() - start
    return {"step": taken / steps, "wait": (float(step.waited.numpy()) - waited) / taken}


def measure_jax(setting: Mapping[str, Any], batch: int, seconds: float) -> dict[str, float]:
    """Seconds of one compiled step: forward, backward, SGD with momentum, moving averages."""
    import jax
    import keras
    import numpy as np

    keras.config.set_dtype_policy(setting.get("policy", "float32"))
    model = archspec.build(REFERENCE)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    optimizer.build(model.trainable_variables)

    def loss(trainable: Any, others: Any, x: Any, y: Any) -> tuple[Any, Any]:
        probabilities, others = model.stateless_call(trainable, others, x, training=True)
        return keras.ops.mean(keras.losses.sparse_categorical_crossentropy(y, probabilities)), others

    def update(state: Any, x: Any, y: Any) -> tuple[Any, Any]:
        trainable, others, slots = state
        (value, others), gradients = jax.value_and_grad(loss, has_aux=True)(trainable, others, x, y)
        trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
        return (trainable, others, slots), value

    step = jax.jit(update)
    variables = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    state = tuple([each.value for each in group] for group in variables)
    x = jax.device_put(np.random.default_rng(0).normal(size=(batch, *model.input_shape[1:])).astype("float32"))
    y = jax.device_put(np.zeros(batch, np.int32))
    for _ in range(3):
        state, value = step(state, x, y)
    jax.block_until_ready(value)
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for _ in range(5):
            state, value = step(state, x, y)
        float(value)
        steps += 5
    return {"step": (time.perf_counter() - start) / steps, "wait": float("nan")}


def measure_torch(setting: Mapping[str, Any], batch: int, seconds: float) -> dict[str, float]:
    """Seconds of one step of the same layers in PyTorch."""
    import peer_network
    import torch_train

    graph = archspec.load(REFERENCE).graph()
    request = {"network": peer_network.network_json(graph), "input": graph.input_shape, "batch": batch}
    request |= {"classes": graph.output_shape[-1], "device": "cuda", **setting}
    steps, _ = torch_train.train(request)
    steps(3)
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        steps(5)
        done += 5
    return {"step": (time.perf_counter() - start) / done, "wait": float("nan")}


def utilization(process: subprocess.Popen[str]) -> list[float]:
    """Percent, once a second, while the process runs."""
    found: list[float] = []
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]

    def sample() -> None:
        while process.poll() is None:
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode == 0:
                found.append(float(done.stdout.splitlines()[0]))
            time.sleep(1)

    threading.Thread(target=sample, daemon=True).start()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="A GPU.")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=20.0, help="of measuring each setting")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(SETTINGS[options.worker], options.batch_size, options.seconds)))
        return 0
    found = shutil.which("nvidia-smi") and subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    if not found or found.returncode or not found.stdout.strip():
        print("no GPU: nothing is measured")
        return 0
    print(found.stdout.strip().splitlines()[0].split(" (UUID")[0])
    print(f"{REFERENCE}, batch {options.batch_size}")
    print(f"{'':28} {'ms':>8} {'images/s':>9} {'wait':>6} {'busy':>6}")
    for which, setting in SETTINGS.items():
        if importlib.util.find_spec(setting.get("backend", "tensorflow")) is None:
            print(f"{which:28} skipped: {setting.get('backend', 'tensorflow')} is not installed", flush=True)
            continue
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": setting.get("backend", "tensorflow")}
        own = ["--worker", which, "--batch-size", str(options.batch_size), "--seconds", str(options.seconds)]
        with subprocess.Popen(
            [sys.executable, __file__, *own],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        ) as process:
            busy = utilization(process)
            output, errors = process.communicate()
        if process.returncode:
            print(f"{which:28} {(errors.strip().splitlines() or ['failed'])[-1][:80]}", flush=True)
            continue
        times = json.loads(output.splitlines()[-1])
        share = statistics.median(busy[-int(options.seconds) :]) if busy else float("nan")
        rate = options.batch_size / times["step"]
        print(f"{which:28} {1000 * times['step']:8.1f} {rate:9.0f} {times['wait']:6.1%} {share:5.0f}%", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
