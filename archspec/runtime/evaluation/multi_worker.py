"""Evaluation on several hosts: each scores images of its own, and all of them get the posteriors of all."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from archspec.protocols import Protocol
from archspec.runtime.data.files.fingerprint import fingerprint
from archspec.runtime.data.images import Images, Report
from archspec.runtime.distributed.cluster import Hosts, waiting
from archspec.runtime.distributed.collectives import Agreement
from archspec.runtime.distributed.heartbeat import Others
from archspec.runtime.distributed.strategy import Devices, make_strategy
from archspec.runtime.evaluation.protocols.predictor import Classifier
from archspec.runtime.evaluation.protocols.runner import Course, run_protocol
from archspec.runtime.system.tensorflow_import import import_tensorflow


@dataclass(frozen=True)
class Together:
    """The devices of this host that score, and what binds it to the others; with one host nothing does."""

    strategy: Any
    agreement: Agreement

    @classmethod
    def of(cls, devices: Devices, hosts: Hosts | None, tell: Report, held: contextlib.ExitStack) -> Together:
        """Waits until all hosts are there, and looks at them until `held` ends. Raises what `make_strategy` raises."""
        if hosts is None:
            return cls(make_strategy(devices), Agreement(None, None))
        tell(f"{hosts.named(hosts.worker)}: waiting for all {len(hosts.workers)} workers")
        with waiting(hosts, tell):
            every = make_strategy(devices, hosts)
            agreement = Agreement(every, hosts)
            agreement.any(False)  # a worker that is not there yet is waited for here
        agreement.others = held.enter_context(Others(hosts, tell))
        return cls(_own(every), agreement)

    def run(
        self, network: Classifier, images: Images, protocol: Protocol, *, batch_size: int, report: Report
    ) -> Course:
        """`run_protocol` over all images, each scored by one of the hosts; the same on all of them.

        Raises ArchspecError: what that raises, and `hosts-differ`.
        """
        hosts = self.agreement.hosts
        if hosts is None:
            return run_protocol(network, images, protocol, batch_size=batch_size, report=report)
        self.agreement.same("network and protocol", (network.checksum, protocol))
        self.agreement.same("images", fingerprint(images))
        rows = np.arange(hosts.worker, len(images), len(hosts.workers))
        own = run_protocol(
            network, images.only(rows), protocol, batch_size=batch_size, report=report, look=self.agreement.check
        )
        report(f"{hosts.named(hosts.worker)}: its {len(rows):,} images are done; waiting for the others")
        posteriors = np.zeros((len(images), own.posteriors.shape[1]), np.float32)
        posteriors[rows] = own.posteriors
        speed = self.agreement.total(own.images_per_second or 0.0)
        return replace(own, posteriors=self.agreement.sum(posteriors), images_per_second=speed or None)


def _own(every: Any) -> Any:
    """A strategy over the devices of this host alone, which needs no other host for a step."""
    tf = import_tensorflow()
    devices = every.extended.worker_devices
    return tf.distribute.get_strategy() if len(devices) == 1 else tf.distribute.MirroredStrategy(devices)
