"""Names for blocks, by what is in them: conv_bn_relu, bottleneck, inception, squeeze_excite."""

from __future__ import annotations

from collections.abc import Sequence, Set

from archspec.graph.decompile.draft import LayerDraft, walk
from archspec.ops import OPS

SHORT = {"depthwise_conv": "depthwise", "separable_conv": "separable", "layer_norm": "norm", "zero_pad": "pad"}
MAX_WORDS, MAX_LETTERS = 4, 24


def block_name(items: Sequence[LayerDraft], taken: Set[str]) -> str:
    """A name that no operator and no other block has."""
    word = _word(items)
    if word in OPS or word in ("row", "residual"):
        word = f"{word}_unit"
    name, count = word, 1
    while name in taken:
        count += 1
        name = f"{word}_{count}"
    return name


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
