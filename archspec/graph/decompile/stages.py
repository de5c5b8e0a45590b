"""Names for the stages of a spec, from those that its layers have in common: conv2_block1_1_conv, ... -> conv2."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence, Set

from archspec.graph.decompile.draft import LayerDraft, walk
from archspec.ops import OPS

_MADE_BY_KERAS = re.compile(
    r"(conv\dd|depthwise_conv\dd|separable_conv\dd|dense|batch_normalization|layer_normalization|activation|re_lu"
    r"|add|multiply|concatenate|average|max_pooling\dd|average_pooling\dd|zero_padding\dd|dropout|reshape)(_\d+)?\Z"
)
"""The names of layers that nobody named."""
_KIND = re.compile(r"_(block|unit|cell|layer|conv|bn|concat|add)?_?\Z")
"""What names of parts end in, which say nothing of the stage."""


def name_stages(items: Sequence[LayerDraft], blocks: Set[str]) -> None:
    """Give names to the calls of blocks and to merges, where their layers have one in common that no others have."""
    found = [_common(item) for item in items]
    often = Counter(found)
    for item, name in zip(items, found, strict=True):
        if name and often[name] == 1 and not item.labelled and re.sub(r"_\d+\Z", "", name) not in blocks:
            item.name = name


def _shared(words: Sequence[str]) -> str:
    """The letters that all words begin with."""
    low, high = min(words), max(words)
    return low[: next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))]


def _common(item: LayerDraft) -> str:
    """The name that all layers of an item begin with, or nothing."""
    if item.head in OPS and not item.branches:
        return ""
    hints = [hint for each in walk([item]) for hint in each.hints if not _MADE_BY_KERAS.match(hint)]
    if len(hints) < 2:
        return ""
    prefix = _shared(hints)
    if any(hint[len(prefix) : len(prefix) + 1].isalpha() for hint in hints) and prefix[-1:].isalpha():
        prefix = re.sub(r"[A-Za-z]+\Z", "", prefix)
    if item.count > 1 and any(hint[len(prefix) :][:1].isdigit() for hint in hints):
        prefix = re.sub(r"\d+\Z", "", prefix)
    prefix = _KIND.sub("", prefix)
    word = re.sub(r"[^A-Za-z0-9_-]+", "_", prefix).strip("_-")
    fine = len(word) > 2 and not word.isdecimal() and word not in OPS and not _MADE_BY_KERAS.match(word)
    return word if fine else ""
