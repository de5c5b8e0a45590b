"""The contract of an explanation method: one class, whose arguments are the options of `archspec explain METHOD`.

To add a method, write a module with one class in `archspec/runtime/explain/methods`, and its test. Another package
names its module in an entry point of the group `archspec.explain_methods`. The commands, their help and the errors
derive from the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from archspec.declare import POSITIVE, Declared, Schema, arg
from archspec.plugins import Registry
from archspec.runtime.data.images import Report

if TYPE_CHECKING:
    from archspec.runtime.explain.explanation import ExplainedImage, Findings
    from archspec.runtime.explain.image_batches import ImageBatch, ImageBatches
    from archspec.runtime.explain.open_network import OpenNetwork

EXPLAIN_METHODS: Registry[ExplainMethod] = Registry("archspec.explain_methods")
"""Every explanation method under its name."""

TEXT: Schema = {"type": ["string", "null"]}
TEXTS: Schema = {"type": "array", "items": {"type": "string"}, "minItems": 1}
NUMBERS: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0}}

# Arguments that several methods share.
CLASSES = arg(
    TEXTS, "class to explain: its name, its number, or top-K for the K most probable ones; repeatable", ("top-1",)
)
SPATIAL_LAYER = arg(
    TEXT, "path of the layer; by default the last one with spatial extent before the global pooling or flatten", None
)
LAST_LAYER = arg(
    TEXT, "path of the layer; by default the last one with spatial extent before the pooling or flatten", None
)
CHANNELS = arg(NUMBERS, "channel of the layer, counted from 0; repeatable; by default the most active ones", ())
SAMPLES = arg(POSITIVE, "noisy copies of the image whose gradients are averaged (SmoothGrad, Smilkov et al. 2017)", 1)


class ExplainMethod(Declared):
    """Base of all explanation methods: a frozen dataclass (`declared`) with a `name`; its docstring is its help text.

    Class attributes:
        name: as in `archspec explain NAME`.
        takes: "images" where the method explains images, "data" where it needs a data set, "nothing" where it reads
            only the weights.
        one_at_a_time: whether a single image is long work, whose progress is reported.
        caveat: what a user must know to read the pictures; printed with each result. "" for none.
        extra: the extra of archspec that installs the packages; "" for none.
        packages: modules that the method imports from it.
    """

    registry = EXPLAIN_METHODS
    takes: ClassVar[str] = "images"
    one_at_a_time: ClassVar[bool] = False
    caveat: ClassVar[str] = ""
    extra: ClassVar[str] = ""
    packages: ClassVar[tuple[str, ...]] = ()

    def check(self, network: OpenNetwork) -> None:
        """Check the arguments against the network, before an image is read. Raises ArchspecError."""

    def explained_layer(self, network: OpenNetwork) -> str | None:
        """The path of the layer that the pictures are of; None for a method without one."""
        return None

    def notes(self, network: OpenNetwork) -> Sequence[str]:
        """What the user must know about this method on this network, such as activations that it does not cover."""
        return ()

    def explain_batch(self, network: OpenNetwork, batch: ImageBatch) -> Sequence[ExplainedImage]:
        """Explain each image of a batch."""
        raise NotImplementedError(f"{type(self).__name__}.explain_batch")  # a plugin that forgot it

    def explain(self, network: OpenNetwork, images: ImageBatches, report: Report) -> Findings:
        """Explain all images. A method that compares images overrides it, and reads `images` as a stream."""
        from archspec.runtime.explain.explanation import Findings

        found: list[ExplainedImage] = []
        for batch in images:
            for part in batch.singles() if self.one_at_a_time else (batch,):
                found += self.explain_batch(network, part)
                images.tell(report, len(found))
        return Findings(tuple(found))
