"""The number of classes as a param of the spec: `--set classes=10`."""

from __future__ import annotations

from archspec.graph.decompile.writer import SIZES, SpecDraft
from archspec.ops import OPS


def name_classes(spec: SpecDraft) -> None:
    """Write `$classes` where the classifier has its number of channels, if the network ends in one."""
    shape = spec.graph.output_shape
    if len(spec.graph.outputs) > 1 or len(shape) != 1 or not shape[0] or shape[0] < 2:
        return
    for item in reversed(spec.items):
        words = [word for word in SIZES if item.args.get(word) == shape[0]]
        if words and item.count == 1 and not item.branches:
            item.args = {**item.args, words[0]: "$classes"}
            spec.params["classes"] = shape[0]
            return
        if item.branches or item.head not in OPS or not _keeps_channels(item.head):
            return


def _keeps_channels(head: str) -> bool:
    """Whether an operator has no number of channels of its own, as softmax and flatten."""
    from archspec.declare import arguments

    return not {argument.name for argument in arguments(OPS[head])} & set(SIZES)
