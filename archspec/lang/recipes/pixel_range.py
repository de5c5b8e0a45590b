"""What `preprocess` makes of pixels of 0 to 255: a mean and standard deviation for 0 to 1 are a common mistake."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.declare import Declared
from archspec.diagnostics import Diagnostic, Span

WHITE = 255.0
MOST = 300.0
"""The largest value that a pixel may sensibly have in a network: a little more than that of pixels as they are."""


def wide_range(
    input_shape: Sequence[int | None], preprocess: Sequence[Declared], span: Span | None = None
) -> Diagnostic | None:
    """A warning if `preprocess` makes pixels much larger than they are.

    Args:
        input_shape: (H, W, C); other inputs have units of their own.
        span: the place of `preprocess`.
    """
    if len(input_shape) != 3:
        return None
    low, high, of_unit = 0.0, WHITE, False
    for each in preprocess:
        if each.name == "scale":
            factor, offset = _numbers(each, "factor")[0], _numbers(each, "offset")[0]
            low, high = sorted((low * factor + offset, high * factor + offset))
        elif each.name in ("subtract_mean", "normalize"):
            means = _numbers(each, "mean")
            deviations = _numbers(each, "std") if each.name == "normalize" else [1.0]
            of_unit |= high > 2 and each.name == "normalize" and max(deviations) <= 1 and max(map(abs, means)) <= 1
            low, high = (low - max(means)) / min(deviations), (high - min(means)) / min(deviations)
    if max(abs(low), abs(high)) <= MOST:
        return None
    help = "pixels are 0 to 255: `scale` divides by 255 without an argument"
    if of_unit:
        help = "this mean and std are for pixels of 0 to 1: write `scale` before `normalize`, or multiply both by 255"
    message = f"`preprocess` turns pixels of 0 to 255 into numbers from {low:,.4g} to {high:,.4g}"
    return Diagnostic("pixel-range", message, span, help=help, severity="warning")


def _numbers(transform: Declared, name: str) -> list[float]:
    value = getattr(transform, name)
    return [float(each) for each in (value if isinstance(value, tuple) else (value,))]
