"""Names in a decompiled spec: of blocks (by their layers), of stages (by Keras's layer names), and `$classes`."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence, Set

from archspec.declare import arguments
from archspec.graph.decompile.draft import LayerDraft, walk
from archspec.graph.decompile.writer import SIZES, SpecDraft
from archspec.graph.ir import unused_name
from archspec.ops import OPS

SHORT = {"depthwise_conv": "depthwise", "separable_conv": "separable", "layer_norm": "norm", "zero_pad": "pad"}
MAX_WORDS, MAX_LETTERS = 4, 24


def block_name(items: Sequence[LayerDraft], taken: Set[str]) -> str:
    """A name that no operator or other block has."""
    word = _word(items)
    if word in OPS or word in ("row", "residual"):
        word = f"{word}_unit"
    return unused_name(word, taken)


def _word(items: Sequence[LayerDraft]) -> str:
    for item in items:
        if item.head == "residual":
            return _unit(item)
        if item.head == "multiply" and item.branches and len(items) == 1:
            return "squeeze_excite"
        if item.head == "concat" and item.branches:
            return "dense_unit" if not all(item.branches) else "inception" if len(item.branches) > 2 else "mixed"
    heads = [SHORT.get(item.head, item.head) for item in items]
    if len(heads) <= MAX_WORDS and len("_".join(heads)) <= MAX_LETTERS:
        return "_".join(heads)
    inside = [item.head for item in walk(list(items))]
    if any(item.head == "depthwise_conv" or "depthwise" in item.head for item in items):
        return "inverted" if inside[0].startswith("conv") else "separated"
    return "stage" if heads[-1].endswith("pool") else "unit"


def _unit(residual: LayerDraft) -> str:
    """He et al. 2015, Figure 5: basic with two convolutions, bottleneck with three."""
    body = [item for item in walk(residual.branches[0]) if "conv" in item.head]
    if any("depthwise" in item.head for item in body) or not body:
        return "unit"
    return {2: "basic", 3: "bottleneck"}.get(len(body), "unit")


_MADE_BY_KERAS = re.compile(
    r"(conv\dd|depthwise_conv\dd|separable_conv\dd|dense|batch_normalization|layer_normalization|activation|re_lu"
    r"|add|multiply|concatenate|average|max_pooling\dd|average_pooling\dd|zero_padding\dd|dropout|reshape)(_\d+)?\Z"
)
"""The default names of unnamed layers."""
_KIND = re.compile(r"_(block|unit|cell|layer|conv|bn|concat|add)?_?\Z")
"""Endings of layer names that do not identify a stage."""


def name_stages(items: Sequence[LayerDraft], blocks: Set[str]) -> None:
    """Name block calls and merges after the common prefix of their layer names, if no other layer has it."""
    found = [_common(item) for item in items]
    often = Counter(found)
    for item, name in zip(items, found, strict=True):
        if name and often[name] == 1 and not item.labelled and re.sub(r"_\d+\Z", "", name) not in blocks:
            item.name = name


def _common(item: LayerDraft) -> str:
    """The name that all layers of an item begin with, or nothing."""
    if item.head in OPS and not item.branches:
        return ""
    hints = [hint for each in walk([item]) for hint in each.hints if not _MADE_BY_KERAS.match(hint)]
    if len(hints) < 2:
        return ""
    prefix = os.path.commonprefix(hints)  # noqa: RUF071 - of characters, as is wanted here
    if any(hint[len(prefix) : len(prefix) + 1].isalpha() for hint in hints) and prefix[-1:].isalpha():
        prefix = re.sub(r"[A-Za-z]+\Z", "", prefix)
    if item.count > 1 and any(hint[len(prefix) :][:1].isdigit() for hint in hints):
        prefix = re.sub(r"\d+\Z", "", prefix)
    prefix = _KIND.sub("", prefix)
    word = re.sub(r"[^A-Za-z0-9_-]+", "_", prefix).strip("_-")
    fine = len(word) > 2 and not word.isdecimal() and word not in OPS and not _MADE_BY_KERAS.match(word)
    return word if fine else ""


def name_classes(draft: SpecDraft) -> None:
    """Write `$classes` for the number of units of the classifier, if the network ends in one."""
    shape = draft.graph.output_shape
    if len(draft.graph.outputs) > 1 or len(shape) != 1 or not shape[0] or shape[0] < 2:
        return
    for item in reversed(draft.items):
        words = [word for word in SIZES if item.args.get(word) == shape[0]]
        if words and item.count == 1 and not item.branches:
            item.args = {**item.args, words[0]: "$classes"}
            draft.params["classes"] = shape[0]
            return
        if item.branches or item.head not in OPS:
            return
        if {argument.name for argument in arguments(OPS[item.head])} & set(SIZES):
            return  # it sets the number of channels, unlike softmax or flatten
