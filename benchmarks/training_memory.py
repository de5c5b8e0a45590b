"""The memory that `archspec plan` predicts, compared with the memory that training steps take on a CPU.

    python benchmarks/training_memory.py [REF@BATCH ...]

Target: within 20 % for each network. Each trains for three steps in a separate process. The measured value is the peak
of the resident memory, minus the resident memory before the network is built.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

NETWORKS = ("resnet-cifar:20@512", "vgg:A@8", "alexnet@64", "mobilenet-v2@16")
TOLERANCE = 0.2
MEGA = 1 << 20


def measure(reference: str, batch_size: int) -> tuple[float, float]:
    """(predicted bytes, bytes at the peak) of this process."""
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    import_tensorflow()
    import numpy as np
    import tensorflow as tf

    import archspec
    from archspec.graph.analysis.training_memory import training_memory
    from archspec.runtime.training.replica_batches import replica_batches
    from archspec.runtime.training.train_step import TrainStep

    tf.linalg.matmul(tf.ones((512, 512)), tf.ones((512, 512)))  # starts threads and libraries
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    network = archspec.load(reference)
    planned = training_memory(network.graph(), batch_size, network.recipe.optimizer.values_per_weight)
    assert planned is not None
    strategy = tf.distribute.get_strategy()
    step = TrainStep(strategy, network.build(), network.recipe)
    shape = [side for side in network.graph().input_shape if side is not None]
    images = np.zeros((batch_size, *shape), np.float32)
    batches = tf.data.Dataset.from_tensors((images, np.zeros(batch_size, np.int32))).repeat(3)
    iterator = iter(replica_batches(strategy, batches))
    for _ in range(3):
        step(iterator, 1e-6)
    return planned.total, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before


def main() -> int:
    parser = argparse.ArgumentParser(description="Planned and measured memory.")
    parser.add_argument("networks", nargs="*", default=NETWORKS, metavar="REF@BATCH")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    met = True
    for each in options.networks:
        reference, _, batch = each.partition("@")
        if options.child:
            print(json.dumps(measure(reference, int(batch))))
            continue
        child = [sys.executable, __file__, each, "--child"]
        last = subprocess.run(child, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1]
        planned, measured = json.loads(last)
        shown = f"plan {planned / MEGA:7,.0f} MB   measured {measured / MEGA:7,.0f} MB"
        print(f"{each:22} {shown}   ratio {planned / measured:.2f}", flush=True)
        met &= abs(planned / measured - 1) <= TOLERANCE
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
