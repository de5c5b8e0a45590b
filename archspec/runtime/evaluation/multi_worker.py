"""Evaluation on several hosts: each scores images of its own, and all of them get the posteriors of all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from archspec.protocols import Protocol
from archspec.runtime.data.files.fingerprint import fingerprint
from archspec.runtime.data.images import Images, Report
from archspec.runtime.distributed.cluster import Cluster
from archspec.runtime.distributed.collectives import Collectives
from archspec.runtime.distributed.strategy import Devices, make_strategy
from archspec.runtime.distributed.worker_errors import check_workers
from archspec.runtime.evaluation.protocols.predictor import Classifier
from archspec.runtime.evaluation.protocols.runner import Course, run_protocol
from archspec.runtime.system.tensorflow_import import import_tensorflow


@dataclass(frozen=True)
class Together:
    """The devices of this host that score, and what binds it to the others; with one host nothing does."""

    strategy: Any
    collectives: Collectives

    @classmethod
    def of(cls, devices: Devices, cluster: Cluster | None, tell: Report) -> Together:
        """Wait for all workers. Raises what `make_strategy` raises."""
        if cluster is None:
            return cls(make_strategy(devices), Collectives(None, None))
        every = make_strategy(devices, cluster, tell)
        return cls(_own(every), Collectives(every, cluster))

    def run(
        self, network: Classifier, images: Images, protocol: Protocol, *, batch_size: int, report: Report
    ) -> Course:
        """`run_protocol` over all images, each scored by one of the hosts; the same on all of them.

        Raises ArchspecError: what that raises, and `hosts-differ`.
        """
        cluster = self.collectives.cluster
        if cluster is None:
            return run_protocol(network, images, protocol, batch_size=batch_size, report=report)
        self.collectives.check_equal("network and protocol", (network.checksum, protocol))
        self.collectives.check_equal("images", fingerprint(images))
        rows = np.arange(cluster.index, len(images), len(cluster.workers))
        own = run_protocol(
            network,
            images.only(rows),
            protocol,
            batch_size=batch_size,
            report=report,
            look=partial(check_workers, cluster),
        )
        report(f"{cluster.name(cluster.index)}: its {len(rows):,} images are done; waiting for the others")
        posteriors = np.zeros((len(images), own.posteriors.shape[1]), np.float32)
        posteriors[rows] = own.posteriors
        speed = float(self.collectives.all_reduce(np.array([own.images_per_second or 0], np.float32))[0])
        return replace(own, posteriors=self.collectives.all_reduce(posteriors), images_per_second=speed or None)


def _own(every: Any) -> Any:
    """A strategy over the devices of this host alone, which needs no other host for a step."""
    tf = import_tensorflow()
    devices = every.extended.worker_devices
    return tf.distribute.get_strategy() if len(devices) == 1 else tf.distribute.MirroredStrategy(devices)
