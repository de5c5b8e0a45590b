"""Evaluation on several workers: each scores its own images, and all of them get the posteriors of all images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from archspec.protocols import Protocol
from archspec.runtime.data.files.fingerprint import fingerprint
from archspec.runtime.data.images import Images
from archspec.runtime.distributed.cluster import check_workers
from archspec.runtime.distributed.collectives import Collectives
from archspec.runtime.distributed.strategy import make_strategy
from archspec.runtime.evaluation.inference.predictor import Predictor
from archspec.runtime.evaluation.inference.runner import Posteriors, run_protocol
from archspec.runtime.evaluation.options import EvaluationOptions
from archspec.runtime.system.tensorflow_import import import_tensorflow


@dataclass(frozen=True)
class WorkerGroup:
    """The devices of this worker, and its connection to the other workers if there are any."""

    options: EvaluationOptions
    strategy: Any
    collectives: Collectives

    @classmethod
    def connect(cls, options: EvaluationOptions) -> WorkerGroup:
        """Wait for all workers. Raises ArchspecError as `make_strategy`."""
        cluster = options.cluster
        if cluster is None:
            return cls(options, make_strategy(options.devices), Collectives(None, None))
        strategy = make_strategy(options.devices, cluster, options.report)
        return cls(options, _local_strategy(strategy), Collectives(strategy, cluster))

    def run(self, network: Predictor, images: Images, protocol: Protocol) -> Posteriors:
        """`run_protocol` over all images, each scored by one worker; every worker returns the same posteriors.

        Raises:
            ArchspecError: those of `run_protocol`, and `hosts-differ`.
        """
        cluster, report = self.options.cluster, self.options.report
        run = partial(run_protocol, network, protocol=protocol, batch_size=self.options.batch_size, report=report)
        if cluster is None:
            return run(images)
        self.collectives.check_equal("network and protocol", (network.checksum, protocol))
        self.collectives.check_equal("images", fingerprint(images))
        rows = np.arange(cluster.index, len(images), len(cluster.workers))
        own = run(images.only(rows), after_batch=partial(check_workers, cluster))
        report(f"{cluster.name(cluster.index)}: its {len(rows):,} images are done; waiting for the other workers")
        posteriors = np.zeros((len(images), own.posteriors.shape[1]), np.float32)
        posteriors[rows] = own.posteriors
        speed = float(self.collectives.all_reduce(np.array([own.images_per_second or 0], np.float32))[0])
        return replace(own, posteriors=self.collectives.all_reduce(posteriors), images_per_second=speed or None)


def _local_strategy(strategy: Any) -> Any:
    """A strategy over the devices of this worker, whose steps do not involve other workers."""
    tf = import_tensorflow()
    devices = strategy.extended.worker_devices
    return tf.distribute.get_strategy() if len(devices) == 1 else tf.distribute.MirroredStrategy(devices)
