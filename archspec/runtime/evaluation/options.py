"""The options of an evaluation: the images, the devices, and where progress is reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources.dataset import open_data
from archspec.runtime.distributed.cluster import Cluster
from archspec.runtime.distributed.strategy import Devices

Split = Literal["train", "validation"]


@dataclass(frozen=True)
class EvaluationOptions:
    """The images to evaluate on, and how.

    Attributes:
        data: a data source; needed by all models but saved predictions.
        report: called with lines of progress and warnings.
        split: the part of the data.
        validation_split, seed: as in training, to select the same held-out images.
        skip_bad_images: leave out files that cannot be decoded.
        batch_size: views in a step, over all devices; larger views than the network's input count as several.
        devices: as `make_strategy` takes them.
        cluster: the workers that share the images. Each has all images; the chief writes.
    """

    data: str | None
    report: Report
    split: Split = "validation"
    validation_split: float | None = None
    seed: int = 0
    skip_bad_images: bool = False
    batch_size: int = 128
    devices: Devices = None
    cluster: Cluster | None = None

    def open_images(self, channels: int) -> Images:
        """The images with that many channels. Raises ArchspecError as `open_data`."""
        return open_data(
            str(self.data),
            self.split,
            validation_split=self.validation_split,
            seed=self.seed,
            skip_bad_images=self.skip_bad_images,
            report=self.report,
            channels=channels,
        )
