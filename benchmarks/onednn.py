"""oneDNN on against off, for kinds of layers and for whole networks: CPU time of the forward pass and of a step.

    python benchmarks/onednn.py [--isa AVX2] [--rounds 5]

Two processes with one thread compute the same things in turn, with TF_ENABLE_ONEDNN_OPTS 1 and 0. A step is the forward
pass and the gradients of the weights and, of a layer, of its input. Each number is how many times as fast oneDNN is by
CPU time, the median over the rounds. `--isa` limits oneDNN to the instructions of an older processor
(ONEDNN_MAX_CPU_ISA: SSE41, AVX, AVX2, AVX512_CORE); the other kernels of TensorFlow stay as they are.

Target: archspec switches oneDNN on for every processor with AVX2, so with it no network is slower at batches of 64, of
training and evaluation, by more than a tenth. The exit status is 1 if one is.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from train_peers import Peer

import archspec
from archspec.runtime.system.processor import ONEDNN, name

LAYERS = {
    "conv: {filters: 64, kernel_size: 3}": "28, 28, 64",
    "conv: {filters: 16, kernel_size: 3}": "32, 32, 16",
    "conv: {filters: 256, kernel_size: 1}": "14, 14, 256",
    "conv: {filters: 64, kernel_size: 7, strides: 2}": "112, 112, 3",
    "conv: {filters: 64, kernel_size: 3, dilation_rate: 2}": "28, 28, 64",
    "conv: {filters: 64, kernel_size: 3, groups: 8}": "28, 28, 64",
    "depthwise_conv: {kernel_size: 3}": "28, 28, 96",
    "depthwise_conv: {kernel_size: 5, strides: 2}": "56, 56, 96",
    "conv_transpose: {filters: 32, kernel_size: 2, strides: 2}": "28, 28, 64",
    "conv: {filters: 64, kernel_size: 9}": "512, 64",
    "conv: {filters: 32, kernel_size: 3}": "12, 24, 24, 16",
    "dense: 1024": "1024",
    "bn": "28, 28, 64",
    "maxpool: {pool_size: 3, strides: 2}": "56, 56, 64",
    "avgpool: {pool_size: 2}": "56, 56, 64",
    "relu": "56, 56, 64",
    "attention: {num_heads: 4, key_dim: 32}": "196, 128",
}
"""A layer as a spec has it, and the shape of its input."""
NETWORKS = {
    "resnet-digits": (8, 8, 1),
    "resnet-cifar:20": (32, 32, 3),
    "mobilenet-v2": (96, 96, 3),
    "efficientnet:b0": (96, 96, 3),
    "resnet:50": (96, 96, 3),
}
BATCHES = (1, 8, 64)
SECONDS = 0.15
"""CPU time of a measurement, at least."""
LEAST = 0.9


# ---- a process that computes -----------------------------------------------------------------------------------------


def passes(title: str, batch: int) -> dict[str, Callable[[], Any]]:
    """The compiled forward pass and step of a layer or network."""
    import numpy as np
    import tensorflow as tf

    model = archspec.build(title, input=list(NETWORKS[title])) if title in NETWORKS else one_layer(title)
    x = tf.constant(np.random.default_rng(0).normal(size=(batch, *model.input_shape[1:])).astype("float32"))
    weights = [each.value for each in model.trainable_variables]
    sources = weights if title in NETWORKS else [x, *weights]

    def step() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.square(model(x, training=True)))
        return tf.add_n([tf.reduce_sum(each) for each in tape.gradient(loss, sources)])

    forward = tf.function(lambda: tf.reduce_sum(model(x, training=False)), autograph=False)
    return {"forward": forward, "step": tf.function(step, autograph=False)}


def one_layer(layer: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "layer.yaml"
        spec.write_text(f"name: layer\ninput: [{LAYERS[layer]}]\nlayers:\n- {layer}\n", encoding="utf-8")
        return archspec.build(spec)


def work() -> None:
    """Answer the requests of `Peer` with CPU seconds per call."""
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf = import_tensorflow()
    tf.config.threading.set_intra_op_parallelism_threads(1)  # threads that wait would be counted
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import keras

    found: dict[str, Callable[[], Any]] = {}
    for line in sys.stdin:
        given = json.loads(line)
        if "title" in given:
            keras.utils.clear_session()
            found = passes(given["title"], given["batch"])
            for call in found.values():
                call().numpy()
            print(json.dumps({}), flush=True)
            continue
        calls, started = 0, time.process_time()
        while (spent := time.process_time() - started) < SECONDS:
            found[given["call"]]().numpy()
            calls += 1
        print(json.dumps({"cpu": spent / calls}), flush=True)


# ---- measuring -------------------------------------------------------------------------------------------------------


def speed_ups(title: str, batch: int, peers: Mapping[str, Peer], rounds: int) -> dict[str, float]:
    """How many times as fast the forward pass and the step are with oneDNN."""
    for peer in peers.values():
        peer.ask({"title": title, "batch": batch})
    ratios: dict[str, list[float]] = {"forward": [], "step": []}
    for number in range(rounds):
        for call, values in ratios.items():
            cpu = {which: peers[which].ask({"call": call})["cpu"] for which in ("10" if number % 2 else "01")}
            values.append(cpu["0"] / cpu["1"])
    return {call: statistics.median(values) for call, values in ratios.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--isa", help="the newest instructions that oneDNN may use")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work()
        return 0
    limit = {"ONEDNN_MAX_CPU_ISA": given.isa} if given.isa else {}
    command = [sys.executable, __file__, "--work"]
    peers = {"1": Peer(command, **{ONEDNN: "1"}, **limit), "0": Peer(command, **{ONEDNN: "0"}, **limit)}
    print(f"{name()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, oneDNN with {given.isa or 'all'}")
    print("how many times as fast by CPU time, forward / step")
    print(f"{'layer':58} {'input':15}" + "".join(f"{f'batch {batch}':>15}" for batch in BATCHES))
    slower = []
    for title, shape in (LAYERS | {title: str(shape)[1:-1] for title, shape in NETWORKS.items()}).items():
        line = f"{title:58} {shape:15}"
        for batch in BATCHES:
            found = speed_ups(title, batch, peers, given.rounds)
            line += f"{found['forward']:8.2f} /{found['step']:5.2f}"
            if title in NETWORKS and batch == BATCHES[-1] and min(found.values()) < LEAST:
                slower.append(title)
        print(line, flush=True)
    for peer in peers.values():
        peer.close()
    for line in slower:
        print(f"slower: {line}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
