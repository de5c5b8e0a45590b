"""Images with known factors, drawn on the fly: a shape, its color, place, size and texture, each chosen at random.

Also waveforms, whose shape of wave, frequency and phase are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import did_you_mean, fail, listed

SHAPES = ("circle", "square", "triangle", "cross", "ring")
RGB = {"red": (214, 69, 65), "green": (38, 166, 91), "blue": (58, 110, 210), "yellow": (240, 200, 60)}
TEXTURES = ("plain", "horizontal stripes", "vertical stripes", "dots")
FACTORS = {"shape": SHAPES, "color": tuple(RGB), "texture": TEXTURES}
WAVES = ("sine", "square", "sawtooth", "triangle")


@dataclass(frozen=True)
class GeneratedImages:
    """Images and the factors that they were drawn from, one row each."""

    pixels: npt.NDArray[np.uint8]
    """(N, size, size, 3)."""
    factors: Mapping[str, npt.NDArray[np.int64]]
    """`shape`, `color`, `texture`: indices into FACTORS, (N,)."""
    boxes: npt.NDArray[np.int64]
    """(N, 4): left, top, right and bottom of the shape, pixels; right and bottom exclusive."""


def shapes(
    count: int,
    rng: np.random.Generator,
    *,
    size: int = 32,
    of: Mapping[str, Sequence[str]] = {},
    radius: tuple[float, float] = (0.2, 0.32),
    noise: float = 12.0,
) -> GeneratedImages:
    """Draw images with one shape each on a grey background.

    Args:
        size: side of the images, pixels.
        of: {factor: the values to choose from}; all by default.
        radius: smallest and largest radius of a shape, in units of the side.
        noise: standard deviation of the noise of each pixel, grey levels.
    """
    names = {factor: tuple(of.get(factor, known)) for factor, known in FACTORS.items()}
    factors = {
        factor: np.array([FACTORS[factor].index(name) for name in chosen])[rng.integers(len(chosen), size=count)]
        for factor, chosen in names.items()
    }
    radii = rng.uniform(*radius, count) * size
    x, y = (rng.uniform(radii, size - radii) for _ in range(2))
    columns, rows = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    right, down = columns - x[:, None, None], rows - y[:, None, None]
    inside = _inside(factors["shape"], right, down, radii[:, None, None])
    painted = inside & _texture(factors["texture"], rows, columns, size)
    background = rng.uniform(70, 150, (count, 1, 1, 1))
    ink = np.array(list(RGB.values()))[factors["color"]][:, None, None, :]
    pixels = np.where(painted[..., None], ink, background) + rng.normal(0, noise, (count, size, size, 3))
    box = np.stack([x - radii, y - radii, x + radii, y + radii], axis=1)
    boxes = np.clip(np.rint(box), 0, size).astype(np.int64)
    return GeneratedImages(np.clip(np.rint(pixels), 0, 255).astype(np.uint8), factors, boxes)


def waves(count: int, rng: np.random.Generator, *, length: int = 128, noise: float = 0.3) -> tuple[Any, Any]:
    """Waveforms with a random frequency (2 to 8 periods) and phase: float32 (N, length, 1) and labels into WAVES."""
    labels = rng.integers(len(WAVES), size=count)
    periods, start = rng.uniform(2, 8, (count, 1)), rng.uniform(0, 1, (count, 1))
    phase = (periods * np.arange(length) / length + start) % 1.0
    forms = [np.sin(2 * np.pi * phase), np.where(phase < 0.5, 1.0, -1.0), 2 * phase - 1, 4 * np.abs(phase - 0.5) - 1]
    unit = [form / np.sqrt(np.mean(form**2, axis=1, keepdims=True)) for form in forms]  # the power says nothing
    signal = np.choose(labels[:, None], unit) + rng.normal(0, noise, (count, length))
    return signal[..., None].astype(np.float32), labels


def labelled(kind: str, options: Mapping[str, Any], count: int, rng: np.random.Generator) -> tuple[Any, Any, list[str]]:
    """Images or waveforms, their labels and the names of the classes: `data: {generated: {shapes: {...}}}` of a lab.

    options: `label`, the factor that is the class, and the arguments of `shapes` or `waves`.

    Raises:
        ArchspecError: `lab`.
    """
    options = dict(options)
    try:
        if kind == "waves":
            return *waves(count, rng, **options), list(WAVES)
        label = options.pop("label", "shape")
        drawn = shapes(count, rng, **options)
        names = list(options.get("of", {}).get(label, FACTORS[label]))
        place = {FACTORS[label].index(name): number for number, name in enumerate(names)}
        return drawn.pixels, np.vectorize(place.__getitem__)(drawn.factors[label]), names
    except (TypeError, ValueError, KeyError) as error:
        raise fail(
            "lab", f"`{kind}` cannot be generated: {error}", help="see the generated images in docs/labs.md"
        ) from None


GENERATED = ("shapes", "waves")


def check_generated(kind: str) -> None:
    """Raises ArchspecError (`lab`) for data that no function generates."""
    if kind not in GENERATED:
        help = did_you_mean(kind, GENERATED) or f"the generated data are: {listed(GENERATED)}"
        raise fail("lab", f"there are no generated data `{kind}`", help=help)


def _inside(shape: Any, right: Any, down: Any, radius: Any) -> Any:
    """Whether each pixel lies in its shape, (N, H, W): offsets from the center and radius in pixels."""
    distance = np.hypot(right, down)
    wide, high = np.abs(right), np.abs(down)
    forms = [
        distance <= radius,
        np.maximum(wide, high) <= 0.85 * radius,
        (down <= 0.75 * radius) & (2 * wide - down <= radius) & (down >= -radius),
        (np.minimum(wide, high) <= 0.3 * radius) & (np.maximum(wide, high) <= radius),
        (distance <= radius) & (distance >= 0.55 * radius),
    ]
    return np.choose(shape[:, None, None], forms)


def _texture(texture: Any, rows: Any, columns: Any, size: int) -> Any:
    """Whether each pixel of a texture is painted, (N, H, W); the period is an eighth of the side."""
    period = max(size // 8, 2)
    across, down = columns % period < period / 2, rows % period < period / 2
    patterns = np.stack([np.ones_like(across), down, across, across & down])
    return patterns[texture]
