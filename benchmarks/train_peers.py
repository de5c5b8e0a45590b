"""Training steps of seven networks: archspec, Keras's `fit` with oneDNN off and on, and PyTorch.

    TORCH_PYTHON=/path/to/python python benchmarks/train_peers.py [--quick] [--rounds 7] [NETWORK ...]
    python benchmarks/train_peers.py --profile [--quick] [NETWORK ...]

Each peer is a process with the default number of threads, and they train the same network on the same shapes one after
the other, some steps in each round. The ratios are medians over the rounds: on a shared machine they are more reliable
than images per second. CPU seconds are the sum over all threads. PyTorch uses channels_last; without torch its column
is empty. `peak` is the share of the arithmetic of a large matrix product that archspec's step reaches, with a step
counted as three times the MACs of the forward pass.

Targets: at least 1.4 times `fit` with oneDNN off; at least 1.15 times `fit` with oneDNN on if there is batch
normalization, and never below 1.0; at least as fast as PyTorch. By CPU time, and the exit status is 1 if one is missed.
--quick takes three short rounds of each network, less than ten minutes on two cores. --profile says where the time goes
(train_profile.py).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import train_profile
from peer_network import network_json

import archspec
from archspec.runtime.system.processor import ONEDNN, name

NETWORKS: Mapping[str, tuple[Mapping[str, Any], int, bool]] = {
    "resnet-cifar:20": ({}, 128, True),
    "resnet:50": ({"input": [64, 64, 3]}, 32, True),
    "vgg:A": ({"input": [64, 64, 3], "narrow": 4}, 32, False),
    "mobilenet-v2": ({"input": [96, 96, 3]}, 32, True),
    "densenet-cifar:40-12": ({}, 32, True),
    "googlenet": ({"input": [96, 96, 3]}, 32, False),
    "efficientnet:b0": ({"input": [96, 96, 3]}, 16, True),
}
"""Settings, batch size, and whether there is batch normalization."""
OFF, ON, OURS, TORCH = "fit, oneDNN off", "fit, oneDNN on", "archspec", "PyTorch"
Steps = Callable[[int], None]


# ---- the peers, each in a process ------------------------------------------------------------------------------------


def batches(given: Mapping[str, Any]) -> Any:
    import numpy as np
    import tensorflow as tf

    generator = np.random.default_rng(0)
    x = generator.normal(size=(given["batch"], *given["input"])).astype("float32")
    y = generator.integers(0, given["classes"], given["batch"]).astype("int32")
    tuning = tf.data.Options()
    tuning.autotune.enabled = False  # the end of a tuned iterator may wait for seconds (benchmarks/iterator_end.py)
    return tf.data.Dataset.from_tensors((x, y)).cache().repeat().with_options(tuning)


def ours(given: Mapping[str, Any]) -> tuple[Steps, Any]:
    from archspec.lang.recipes.recipe import Recipe
    from archspec.runtime.distributed.strategy import make_strategy
    from archspec.runtime.models.metrics import MetricSums
    from archspec.runtime.training.replica_batches import replica_batches
    from archspec.runtime.training.train_step import TrainStep

    network = archspec.load(given["reference"], **given["settings"])
    strategy = make_strategy(1)
    with strategy.scope():
        model = network.build()
    step = TrainStep(strategy, model, Recipe(), loss_weights=network.graph().loss_weights)
    iterator = iter(replica_batches(strategy, batches(given)))

    def steps(number: int) -> None:
        for vector in [step(iterator, 0.01) for _ in range(number)]:
            MetricSums.of(vector)

    return steps, model


def fit(given: Mapping[str, Any]) -> tuple[Steps, Any]:
    """Keras's `fit` with layers of Keras alone: a clone has none of our faster functions."""
    import keras

    network = archspec.load(given["reference"], **given["settings"])
    model = keras.models.clone_model(network.build())
    outputs, weights = len(model.outputs), list(network.graph().loss_weights)
    loss = ["sparse_categorical_crossentropy"] * outputs
    metrics = ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(5)]
    several = {"loss_weights": weights, "metrics": [metrics, *([None] * (outputs - 1))]}
    options = {"metrics": metrics} if outputs == 1 else several
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    # not compiled by XLA, which Keras would choose for `fit` and which is slower on a CPU
    model.compile(optimizer, loss if outputs > 1 else loss[0], jit_compile=False, **options)
    data = batches(given).map(lambda x, y: (x, (y,) * outputs if outputs > 1 else y))
    return lambda number: model.fit(data, steps_per_epoch=number, verbose=0), model


def peak_macs() -> float:
    """MACs per CPU second of a large matrix product in float32."""
    import tensorflow as tf

    side = 2048
    x, product = tf.random.normal((side, side)), tf.function(tf.matmul)
    rates = []
    for number in range(6):
        cpu = time.process_time()
        product(x, x).numpy()
        if number:
            rates.append(side**3 / (time.process_time() - cpu))
    return statistics.median(rates)


def worker(make: Callable[[Mapping[str, Any]], tuple[Steps, Any]]) -> None:
    """Answer the requests of `Peer`."""
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf = import_tensorflow()
    import keras

    steps: Steps | None = None
    model: Any = None
    for line in sys.stdin:
        given = json.loads(line)
        answer: dict[str, Any]
        if "network" in given:
            steps = model = None
            keras.utils.clear_session()
            steps, model = make(given)
            trainable = sum(each.value.shape.num_elements() for each in model.trainable_variables)
            steps(1)
            answer = {"trainable": trainable, "version": f"tensorflow {tf.__version__}, keras {keras.__version__}"}
        elif "peak" in given:
            answer = {"peak": peak_macs()}
        elif "profile" in given:
            assert steps is not None
            layers = {each.name: type(each).__name__ for each in model.layers}
            answer = train_profile.profile(steps, given["profile"], layers)
        else:
            assert steps is not None
            wall, cpu = time.perf_counter(), time.process_time()
            steps(given["steps"])
            answer = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(answer), flush=True)


class Peer:
    """A process that trains."""

    def __init__(self, command: Sequence[str], **environment: str) -> None:
        inherited = {key: value for key, value in os.environ.items() if key != ONEDNN}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if "BENCHMARK_ERRORS" not in os.environ else None,
            text=True,
            env={**inherited, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        )

    def send(self, request: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a peer has failed; BENCHMARK_ERRORS=1 shows its messages")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self.send(request)
        return self.receive()

    def close(self) -> None:
        self._process.communicate()


def busy() -> bool:
    """Whether others use the processors. PyTorch's threads then wait passively: by default they spin, and use up to
    five times the CPU time."""
    return os.getloadavg()[0] > (os.cpu_count() or 1) / 2


def start_peers() -> dict[str, Peer]:
    command = [sys.executable, __file__, "--worker"]
    peers = {
        OFF: Peer([*command, "fit"], **{ONEDNN: "0"}),
        ON: Peer([*command, "fit"], **{ONEDNN: "1"}),
        OURS: Peer([*command, "ours"]),
    }
    python = os.environ.get("TORCH_PYTHON", sys.executable)
    try:
        found = subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0
    except OSError as error:
        raise SystemExit(f"TORCH_PYTHON={python}: {error.strerror}") from error
    if found:
        waiting = {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")} if busy() else {}
        peers[TORCH] = Peer([python, str(Path(__file__).with_name("torch_train.py"))], **waiting)
    else:
        print(f"without PyTorch: {python} cannot import torch; TORCH_PYTHON can name an interpreter that has it")
    return peers


# ---- measuring -------------------------------------------------------------------------------------------------------


def request(reference: str) -> dict[str, Any]:
    """To build a network and its training step."""
    settings, batch, _ = NETWORKS[reference]
    graph = archspec.load(reference, **settings).graph()
    return {
        "reference": reference,
        "settings": settings,
        "network": network_json(graph),
        "input": graph.input_shape,
        "batch": batch,
        "classes": graph.output_shape[-1],
    }


def measure(reference: str, peers: Mapping[str, Peer], rounds: int, seconds: float) -> dict[str, list[dict[str, Any]]]:
    """The seconds per step of each peer in every round.

    seconds: time that a peer trains in a round, roughly.
    """
    for peer in peers.values():
        peer.send(request(reference))
    sizes = {which: peer.receive()["trainable"] for which, peer in peers.items()}
    if len(set(sizes.values())) > 1:
        raise SystemExit(f"the networks differ: {sizes}")
    steps = {}
    for which, peer in peers.items():
        once = peer.ask({"steps": 1})["wall"]
        steps[which] = max(1, min(round(seconds / once), 50))
    found: dict[str, list[dict[str, Any]]] = {which: [] for which in peers}
    for number in range(rounds):
        for which in list(peers) if number % 2 else list(peers)[::-1]:
            answer = peers[which].ask({"steps": steps[which]})
            found[which].append({key: answer[key] / steps[which] for key in ("wall", "cpu")})
    return found


def ratio(found: Mapping[str, Sequence[Mapping[str, float]]], peer: str, key: str) -> float:
    """How many times as fast archspec is."""
    if peer not in found:
        return float("nan")
    return statistics.median(its[key] / mine[key] for its, mine in zip(found[peer], found[OURS], strict=True))


def report(reference: str, found: Mapping[str, Sequence[Mapping[str, float]]], peak: float) -> bool:
    """Print a network. Returns whether the targets are met."""
    settings, batch, normalized = NETWORKS[reference]
    graph = archspec.load(reference, **settings).graph()
    print(f"\n{reference}, {graph.input_shape[0]} px, batch {batch}")
    for which, rounds in found.items():
        wall, cpu = (statistics.median(each[key] for each in rounds) for key in ("wall", "cpu"))
        line = f"  {which:16} {batch / wall:8.1f} images/s {1000 * wall:8.0f} ms {1000 * cpu:8.0f} ms of CPU"
        if which != OURS:
            times = [ratio(found, which, key) for key in ("wall", "cpu")]
            line += f"   archspec is {times[0]:.2f} times as fast, {times[1]:.2f} by CPU time"
        else:
            line += f"   {3 * (graph.macs or 0) * batch / cpu / peak:.0%} of peak"
        print(line, flush=True)
    least = {OFF: 1.4, ON: 1.15 if normalized else 1.0, TORCH: 1.0}
    return all(ratio(found, which, "cpu") >= least[which] for which in found if which != OURS)


def profile(networks: Sequence[str], seconds: float) -> None:
    """Print where the CPU time of a step goes, and a table for docs/training.md."""
    rows = []
    for reference in networks:
        found = []
        for which in ("ours", "fit"):  # one after the other: both in memory would slow each other down
            peer = Peer([sys.executable, __file__, "--worker", which], **train_profile.SETTINGS)
            peer.ask(request(reference))
            number = max(3, min(round(seconds / peer.ask({"steps": 1})["cpu"]), 50))
            found.append(peer.ask({"profile": number}))
            peer.close()
        title = "{}, {} px, {}".format(reference, request(reference)["input"][0], NETWORKS[reference][1])
        rows.append(train_profile.report(title, *found))
    print("\n".join(["\narchspec / `fit`, ms of CPU time", train_profile.heading(), *rows]))


def main() -> int:
    parser = argparse.ArgumentParser(description="Training steps beside Keras and PyTorch.")
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(NETWORKS)}; all by default")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="that a peer trains in a round, roughly")
    parser.add_argument("--quick", action="store_true", help="three rounds of one second")
    parser.add_argument("--profile", action="store_true", help="CPU time of each group of kernels, beside `fit`")
    parser.add_argument("--worker", choices=("fit", "ours"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(ours if options.worker == "ours" else fit)
        return 0
    if unknown := set(options.networks) - set(NETWORKS):
        parser.error(f"unknown networks: {', '.join(sorted(unknown))}")
    rounds, seconds = (3, 1.0) if options.quick else (options.rounds, options.seconds)
    print(f"{name()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    if options.profile:
        profile(options.networks or list(NETWORKS), seconds)
        return 0
    if busy():
        print("the machine is busy: trust ratios by CPU time; PyTorch runs with OMP_WAIT_POLICY=PASSIVE")
    peers = start_peers()
    peak = peers[OURS].ask({"peak": True})["peak"]
    print(f"a large matrix product: {2 * peak / 1e9:.0f} GFLOP per CPU second", flush=True)
    met = []
    for reference in options.networks or NETWORKS:
        met.append(report(reference, measure(reference, peers, rounds, seconds), peak))
    for peer in peers.values():
        peer.close()
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
