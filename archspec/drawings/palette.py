"""Colors by operator family, light and dark.

The hues are those of Okabe and Ito ("Color Universal Design", 2008), which people with any color vision can tell
apart, as light fills with dark borders. Each box also names its operator, so that no meaning rests on color alone.
"""

from __future__ import annotations

from typing import NamedTuple


class Colors(NamedTuple):
    """Hexadecimal RGB."""

    fill: str
    stroke: str


class Theme(NamedTuple):
    """The colors of a drawing."""

    background: str
    text: str
    faint: str
    """Secondary text: shapes on edges, captions."""
    edge: str
    frame: Colors
    """Open blocks."""
    families: dict[str, Colors]


LIGHT = Theme(
    background="#ffffff",
    text="#1b1f24",
    faint="#57606a",
    edge="#6e7781",
    frame=Colors("#f6f8fa", "#afb8c1"),
    families={
        "convolution": Colors("#cfe6f5", "#0072b2"),
        "dense": Colors("#f9dcc9", "#b34a00"),
        "normalization": Colors("#d5efe6", "#007a59"),
        "activation": Colors("#fbf3bf", "#8a7a00"),
        "pooling": Colors("#f3d9e7", "#a8407c"),
        "merge": Colors("#fbe6bf", "#a96f00"),
        "attention": Colors("#e2dcf3", "#5b4b9a"),
        "other": Colors("#e8ebef", "#6e7781"),
        "input": Colors("#ffffff", "#1b1f24"),
        "block": Colors("#e4f1fa", "#3d6f94"),
    },
)
DARK = Theme(
    background="#0d1117",
    text="#e6edf3",
    faint="#9aa5b1",
    edge="#8b949e",
    frame=Colors("#151b23", "#484f58"),
    families={
        "convolution": Colors("#123a54", "#56b4e9"),
        "dense": Colors("#552508", "#f0894e"),
        "normalization": Colors("#0b4233", "#3fc79d"),
        "activation": Colors("#453f08", "#e6d84a"),
        "pooling": Colors("#4b1f39", "#dc8fba"),
        "merge": Colors("#4d3503", "#e69f00"),
        "attention": Colors("#322a57", "#a99be0"),
        "other": Colors("#2b323b", "#9aa5b1"),
        "input": Colors("#0d1117", "#e6edf3"),
        "block": Colors("#1a2f40", "#7fb0d3"),
    },
)

FAMILIES = {
    "conv": "convolution",
    "conv_transpose": "convolution",
    "dense": "dense",
    "norm": "normalization",
    "scale": "normalization",
    "activation": "activation",
    "pool": "pooling",
    "binned_pool": "pooling",
    "merge": "merge",
    "sequence": "attention",
    "window_attention": "attention",
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


def variables(theme: Theme, scheme: str) -> str:
    """The colors as CSS variables: `--dense` fills a box, `--dense-line` is its border."""
    found = {
        "background": theme.background,
        "text": theme.text,
        "faint": theme.faint,
        "edge": theme.edge,
        "frame": theme.frame.fill,
        "frame-line": theme.frame.stroke,
        "focus": theme.families["convolution"].stroke,
        "scheme": scheme,
    }
    for name, colors in theme.families.items():
        found |= {name: colors.fill, f"{name}-line": colors.stroke}
    return "".join(f"--{name}:{value};" for name, value in found.items()) + f"color-scheme:{scheme};"


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
