"""Inputs that may have their channels first, as in PyTorch: (3, 224, 224). In a spec they are last."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.diagnostics import Diagnostic, Span, listed
from archspec.lang.schema.messages import LEAST_SIDE


def has_channels_first(sizes: Sequence[int | None]) -> bool:
    """Whether these are the sizes of a square image with one or three channels before its sides."""
    return len(sizes) >= 3 and sizes[0] in (1, 3) and sizes[-1] == sizes[-2] and (sizes[-1] or 0) >= LEAST_SIDE


def may_be_channels_first(sizes: Sequence[int | None]) -> bool:
    """Whether a shape looks like (C, H, W) of an image, but may be meant as (H, W, C): (3, 5, 5), (3, 48, 64)."""
    if len(sizes) != 3 or sizes[0] not in (1, 3):
        return False
    first, *sides = [size or 0 for size in sizes]
    return (sides[0] == sides[1] and sides[0] > 4) or (first == 3 and min(sides) >= LEAST_SIDE)


def channels_first_warning(name: str, sizes: Sequence[int | None], span: Span | None) -> Diagnostic | None:
    """A warning if the first size of an input may be its channels; sizes that cannot be meant so are an error before.

    Args:
        span: the place of the sizes in the spec; None for a setting.
    """
    if not may_be_channels_first(sizes):
        return None
    height, width, channels = sizes
    fact = f"`{name}` is [{listed(sizes)}], an image of {height} rows and {width} columns with {channels:,} channels"
    meant = listed([width, channels, height])
    written = f"write `[{meant}]`" if span else f"`--set input=[{meant.replace(' ', '')}]`"
    help = f"if the channels are the first size, {written}: they come last in a spec"
    return Diagnostic("channels-first", fact, span, help=help, severity="warning")
