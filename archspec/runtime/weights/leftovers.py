"""Layers of a file that are not layers of the network: counters, losses, statistics, auxiliary classifiers, teachers.

Only such layers may remain unused. A layer of the body that fits nowhere means that the file is of another network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

from archspec.runtime.weights.matching import COUNTERS, HEADS, Layers, Signature, Unit

BUFFERS = {
    *("relative_position_index", "attn_mask", "position_ids", "anchors", "anchor_grid", "stride", "queue", "queue_ptr"),
    *("pixel_mean", "pixel_std", "mean", "std", "image_mean", "image_std", "input_mean", "input_std", "class_weights"),
    *("logit_scale", "temperature", "log_vars"),
}
"""Last words of buffers that no layer of archspec has; they are left out where the network has none of that size."""
AUXILIARY = "aux"
"""Prefix, in lower case, of auxiliary classifiers in state dicts; they are left out if the spec has none."""
OUTSIDE = ("aux", "criterion", "loss", "normaliz", "preprocess", "data_preprocessor", "metric", "ema")
"""First words of names of modules that belong to the training, not to the network."""


def choices(units: list[Unit], slots: Layers, *, in_order: bool) -> Iterator[tuple[list[Unit], list[Unit]]]:
    """Units to match, and those to leave out: counters; auxiliary classifiers; what is outside of the network.

    `in_order` tells whether the order of the units is that of the modules.
    """
    counters = [unit for unit in units if unit.name.rpartition(".")[2] in COUNTERS]
    rest = without(units, counters)
    yield rest, counters
    if len(rest) <= len(slots):
        return
    auxiliary = [unit for unit in rest if any(word.lower().startswith(AUXILIARY) for word in unit.name.split("."))]
    body = without(rest, auxiliary)
    if auxiliary:
        yield body, [*counters, *auxiliary]
    left = _excess(body, slots, in_order=in_order)
    if left:
        yield without(body, left), [*counters, *auxiliary, *left]
    for beside in modules_beside(rest, slots):
        yield without(rest, beside), [*counters, *beside]


def without(units: Sequence[Unit], others: Sequence[Unit]) -> list[Unit]:
    """The units that are not among the others."""
    left_out = set(map(id, others))
    return [unit for unit in units if id(unit) not in left_out]


def _excess(units: Sequence[Unit], slots: Layers, *, in_order: bool) -> list[Unit]:
    """The units outside of the network, by name or place, as far as the network has no layers of their shapes."""
    excess = Counter(unit.signature for unit in units)
    excess.subtract(slot.signature for slot in slots)
    layers = [index for index, unit in enumerate(units) if unit.kind != "param"]
    modules = groups(units).values()
    apart = {id(unit) for each in modules if all(unit.kind == "param" for unit in each) for unit in each}
    left = []
    for index, unit in enumerate(units):
        module = id(unit) in apart and "." in unit.tensors[0].name
        before_or_after = in_order and module and not (layers and layers[0] < index < layers[-1])
        if excess[unit.signature] > 0 and (before_or_after or _named_outside(unit)):
            excess[unit.signature] -= 1
            left.append(unit)
    return left


ENDS = HEADS | {
    *("cls", "pred", "predictor", "logits", "proj", "projector", "projection", "prototypes", "decoder", "rpn", "roi"),
    *("bbox", "mask", "seg", "segmentation", "domain", "discriminator", "distillation", "contrastive", "rotation"),
}
"""Words in the names of modules that read the features of a network, for another task."""
MAX_MODULES = 12
"""Modules of a file that are tried in all combinations."""


def modules_beside(units: Sequence[Unit], slots: Layers) -> list[list[Unit]]:
    """Other heads without which the rest has exactly the layers of the network: `projector`, `head2`.

    One combination of modules at most: the only one that fits, or that keeps the module named as a classifier.
    """
    excess = Counter(unit.signature for unit in units)
    excess.subtract(slot.signature for slot in slots)
    if min(excess.values(), default=0) < 0:
        return []
    excess = +excess
    modules = groups(units)
    spare = {word: Counter(unit.signature for unit in each) for word, each in modules.items() if _is_end(word)}
    spare = {word: count for word, count in spare.items() if count <= excess}
    if len(spare) > MAX_MODULES:
        return []
    found = [
        words
        for size in range(1, len(spare) + 1)
        for words in combinations(spare, size)
        if sum((spare[word] for word in words), Counter[Signature]()) == excess
    ]
    named = [words for words in found if not HEADS & {word.rpartition(".")[2] for word in words}]
    chosen = found if len(found) == 1 else named
    return [[unit for word in chosen[0] for unit in modules[word]]] if len(chosen) == 1 else []


def _is_end(word: str) -> bool:
    """Whether a module reads the features of the network: `head2`, `mlp_projector`; a `neck` would change them."""
    words = [each.rstrip("0123456789") for each in word.rpartition(".")[2].lower().split("_")]
    return any(each in ENDS for each in words)


def _named_outside(unit: Unit) -> bool:
    words = unit.name.lower().split(".")
    return words[-1] in BUFFERS or any(word.startswith(OUTSIDE) for word in words[:-1] or words)


def groups(units: Sequence[Unit]) -> dict[str, list[Unit]]:
    """The units by the first word of their names, below a word that all names share; empty if there is one group."""
    depth = 0
    while all("." in unit.name for unit in units) and len({unit.name.split(".")[depth] for unit in units}) == 1:
        depth += 1
        if any(unit.name.count(".") <= depth for unit in units):
            break
    found: dict[str, list[Unit]] = {}
    for unit in units:
        words = unit.name.split(".")
        found.setdefault(".".join(words[: depth + 1]) if len(words) > depth + 1 else unit.name, []).append(unit)
    return found if len(found) > 1 else {}
