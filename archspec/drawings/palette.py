"""Colours by operator family, light and dark.

The hues are those of Okabe and Ito ("Color Universal Design", 2008), which people with any colour vision can tell
apart, as light fills with dark borders. Each box also names its operator, so that no meaning rests on colour alone.
"""

from __future__ import annotations

from typing import NamedTuple


class Colours(NamedTuple):
    """Hexadecimal RGB."""

    fill: str
    stroke: str


class Theme(NamedTuple):
    """The colours of a drawing."""

    background: str
    text: str
    faint: str
    """Secondary text: shapes on edges, captions."""
    edge: str
    frame: Colours
    """Open blocks."""
    families: dict[str, Colours]


LIGHT = Theme(
    background="#ffffff",
    text="#1b1f24",
    faint="#57606a",
    edge="#6e7781",
    frame=Colours("#f6f8fa", "#afb8c1"),
    families={
        "convolution": Colours("#cfe6f5", "#0072b2"),
        "dense": Colours("#f9dcc9", "#b34a00"),
        "normalization": Colours("#d5efe6", "#007a59"),
        "activation": Colours("#fbf3bf", "#8a7a00"),
        "pooling": Colours("#f3d9e7", "#a8407c"),
        "merge": Colours("#fbe6bf", "#a96f00"),
        "attention": Colours("#e2dcf3", "#5b4b9a"),
        "other": Colours("#e8ebef", "#6e7781"),
        "input": Colours("#ffffff", "#1b1f24"),
        "block": Colours("#e4f1fa", "#3d6f94"),
    },
)
DARK = Theme(
    background="#0d1117",
    text="#e6edf3",
    faint="#9aa5b1",
    edge="#8b949e",
    frame=Colours("#151b23", "#484f58"),
    families={
        "convolution": Colours("#123a54", "#56b4e9"),
        "dense": Colours("#552508", "#f0894e"),
        "normalization": Colours("#0b4233", "#3fc79d"),
        "activation": Colours("#453f08", "#e6d84a"),
        "pooling": Colours("#4b1f39", "#dc8fba"),
        "merge": Colours("#4d3503", "#e69f00"),
        "attention": Colours("#322a57", "#a99be0"),
        "other": Colours("#2b323b", "#9aa5b1"),
        "input": Colours("#0d1117", "#e6edf3"),
        "block": Colours("#1a2f40", "#7fb0d3"),
    },
)

FAMILIES = {
    "conv": "convolution",
    "dense": "dense",
    "norm": "normalization",
    "scale": "normalization",
    "activation": "activation",
    "pool": "pooling",
    "merge": "merge",
    "sequence": "attention",
}
"""Module of `archspec.ops` -> the family of its operators; all others, and those of plugins, are `other`."""


def family(op: object) -> str:
    """The family of an operator (an instance of `archspec.ops.base.Op`)."""
    if not getattr(op, "name", ""):
        return "input"
    package, _, module = type(op).__module__.rpartition(".")
    return FAMILIES.get(module, "other") if package == "archspec.ops" else "other"


def style_sheet() -> str:
    """The CSS of a drawing: classes `bg`, `edge`, `faint`, `frame`, and `f-NAME` for the families; dark by request."""
    return f"{_rules(LIGHT)}@media (prefers-color-scheme:dark){{{_rules(DARK)}}}"


def _rules(theme: Theme) -> str:
    rules = [
        f".bg{{fill:{theme.background}}}",
        f"text{{fill:{theme.text}}}",
        f".faint{{fill:{theme.faint}}}",
        f".edge{{fill:none;stroke:{theme.edge}}}",
        f".tip{{fill:{theme.edge};stroke:none}}",
        f".frame{{fill:{theme.frame.fill};stroke:{theme.frame.stroke}}}",
    ]
    rules += [f".f-{name}{{fill:{each.fill};stroke:{each.stroke}}}" for name, each in theme.families.items()]
    return "".join(rules)
