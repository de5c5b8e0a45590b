"""`published`: error rates of a network from its paper or its authors, each with its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.lang.document.nodes import MappingNode, SequenceNode, plain
from archspec.lang.spec.spec import Spec


@dataclass(frozen=True)
class Published:
    """Error rates of one network as a source states them. Nothing here was measured by archspec."""

    top1_error: float | None
    """In percent; None if the source does not state it."""
    top5_error: float | None
    """In percent; None if the source does not state it."""
    protocol: str
    """How it was measured: `center` is one crop of the center."""
    data: str
    """The data set and its part: `imagenet validation`."""
    source: str
    """Where the figures were read, with the number of the table."""
    year: int | None
    """Of the challenge that the network took part in."""
    ensemble: bool
    """Whether the outputs of several models were averaged."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def published(spec: Spec, variant: str | None) -> tuple[Published, ...]:
    """The figures of a variant, in the order of the spec."""
    node = spec.document.get("published")
    found = []
    for entry in node.items if isinstance(node, SequenceNode) else ():
        if not isinstance(entry, MappingNode):
            continue
        top1, top5 = _rate(entry, "top1_error", variant), _rate(entry, "top5_error", variant)
        if top1 is None and top5 is None:
            continue
        protocol, data, source = (str(plain(entry.entries[key][1])) for key in ("protocol", "data", "source"))
        year, ensemble = entry.get("year"), entry.get("ensemble")
        taken_part = None if year is None else int(plain(year))
        found.append(Published(top1, top5, protocol, data, source, taken_part, bool(ensemble and plain(ensemble))))
    return tuple(found)


def _rate(entry: MappingNode, key: str, variant: str | None) -> float | None:
    """A rate for all variants, or that of one."""
    node = entry.get(key)
    if isinstance(node, MappingNode):
        node = node.get(variant) if variant else None
    return None if node is None else float(plain(node))
