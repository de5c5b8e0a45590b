"""An image that maximizes a class or a channel (Simonyan et al. 2013, section 2)."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.declare import AT_LEAST_0, NATURAL, POSITIVE, POSITIVE_NUMBER, arg, declared, optional
from archspec.diagnostics import counted, fail, visible
from archspec.runtime.data.images import Report
from archspec.runtime.explain.baseline import uniform_input
from archspec.runtime.explain.explain_method import NUMBERS, TEXT, TEXTS, ExplainMethod
from archspec.runtime.explain.explanation import Findings
from archspec.runtime.explain.image_batches import INTERVAL, ImageBatches
from archspec.runtime.explain.map_scaling import Array
from archspec.runtime.explain.open_layer import check_channels
from archspec.runtime.explain.open_network import OpenNetwork


@declared
class Maximize(ExplainMethod):
    """Maximize: an image that a class, or a channel of a layer, responds to most; found by gradient ascent.

    It starts from grey with a little noise, and ascends the logit of the class (not the probability: Simonyan et al.
    2013, section 2) or the mean of the channel. Jitter moves the image a few pixels at each step, so that patterns do
    not depend on the pixel grid; the penalties keep it smooth and near grey. It takes no images.
    """

    name = "maximize"
    takes = "nothing"
    caveat = (
        "the picture depends on the penalties and on the start: it shows one pattern that the network responds to, "
        "not what the class looks like"
    )

    classes: tuple[str, ...] = arg(TEXTS, "class, by name or number; repeatable; by default the first ten", ())
    layer: str | None = arg(TEXT, "path of a layer whose channels are maximized instead of classes", None)
    channels: tuple[int, ...] = arg(NUMBERS, "channel of the layer; repeatable; by default the first eight", ())
    steps: int = arg(POSITIVE, "steps of gradient ascent", 256)
    learning_rate: float = arg(POSITIVE_NUMBER, "average change of a pixel in a step, in grey levels", 8.0)
    jitter: int | None = arg(
        optional(NATURAL), "largest random shift at each step, pixels; by default a sixteenth of the image", None
    )
    l2: float = arg(AT_LEAST_0, "share of the distance to grey that each step takes away", 0.002)
    smoothing: float = arg(
        AT_LEAST_0, "weight of the differences between neighbouring pixels, relative to the gradient", 0.05
    )
    seed: int = arg(NATURAL, "seed of the noise and the jitter", 0)

    def check(self, network: OpenNetwork) -> None:
        if None in network.input_shape:
            fact = "the input of the network has a free size"
            raise fail("method-not-applicable", fact, help="build the network with a fixed input size")
        if self.layer is not None:
            if self.classes:
                raise fail("bad-option", "`classes` and `layer` cannot both be maximized", help="give one of them")
            check_channels(network.place(self.layer), self.channels)
        elif self.channels:
            raise fail("bad-option", "`channels` need a `layer`", help="name the layer of the channels")
        else:
            chosen = network.targets(self.classes or ("0",))
            if chosen.top:
                raise fail("bad-option", "`top-K` needs an image", help="name the classes, or give their numbers")

    def explained_layer(self, network: OpenNetwork) -> str | None:
        return None if self.layer is None else network.place(self.layer).path

    def explain(self, network: OpenNetwork, images: ImageBatches, report: Report) -> Findings:
        if self.layer is None:
            texts = self.classes or tuple(map(str, range(min(10, len(network.class_names)))))
            targets = np.array(network.targets(texts).fixed)
        else:
            count = network.place(self.layer).shape[-1] or 0
            targets = np.array(self.channels or range(min(8, count)))
        pixels = self._ascend(network, targets, report)
        x = self._inputs(network, pixels)
        entries = self._scores(network, x, targets)
        titles = [each.pop("title") for each in entries]
        shown = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)

        def draw() -> Any:
            from archspec.runtime.explain.picture import cell, contact_sheet, rgb_of

            where = "" if self.layer is None else f" of {self.layer}"
            what = "the logit of a class" if self.layer is None else f"the mean of a channel{where}"
            cells = [cell(rgb_of(each), title) for each, title in zip(shown, titles, strict=True)]
            return contact_sheet(cells, f"images that maximize {what}")

        lines = (
            f"{title}, logit {each['logit']:.3g}" if "logit" in each else title
            for title, each in zip(titles, entries, strict=True)
        )
        return Findings((), {"maximize": draw}, {"pixels": shown}, {"found": entries}, (), tuple(lines))

    def _ascend(self, network: OpenNetwork, targets: npt.NDArray[np.integer[Any]], report: Report) -> Array:
        """Pixels (n, H, W, C), 0 to 255."""
        random = np.random.default_rng(self.seed)
        shape = (len(targets), *(int(size or 0) for size in network.input_shape))
        pixels = (127.5 + random.normal(0, 8, shape)).astype(np.float32)
        slope = self._inputs(network, np.full(shape[1:], 255, np.float32)[None]) - self._inputs(
            network, np.zeros(shape[1:], np.float32)[None]
        )
        jitter = min(shape[1:3]) // 16 if self.jitter is None else self.jitter
        told = time.monotonic()
        for step in range(self.steps):
            shift = tuple(random.integers(-jitter, jitter + 1, 2))
            rolled = np.roll(pixels, shift, (1, 2))
            gradient = np.roll(
                self._gradient(network, self._inputs(network, rolled), targets), (-shift[0], -shift[1]), (1, 2)
            )
            gradient = gradient * np.sign(slope)  # to pixels: `preprocess` is linear in each channel
            size = np.abs(gradient).mean(axis=(1, 2, 3), keepdims=True)
            move = np.divide(gradient, size, out=np.zeros_like(gradient), where=size > 0)
            rough = _roughness(pixels)
            rate = self.learning_rate * (1 - 0.9 * step / self.steps)
            pixels = pixels + rate * move - self.smoothing * rough - self.l2 * (pixels - 127.5)
            pixels = np.clip(pixels, 0, 255).astype(np.float32)
            if time.monotonic() - told > INTERVAL and step + 1 < self.steps:
                told = time.monotonic()
                report(f"{step + 1:,} of {counted(self.steps, 'step')}")
        return pixels

    def _inputs(self, network: OpenNetwork, pixels: Array) -> Array:
        """Pixels (n, H, W, C) as inputs of the network: `preprocess` is linear between black and white."""
        black, white = (uniform_input(network, level, pixels.shape[1:]) for level in (0.0, 255.0))
        return (black + pixels * ((white - black) / 255)).astype(np.float32)

    def _gradient(self, network: OpenNetwork, x: Array, targets: npt.NDArray[np.integer[Any]]) -> Array:
        if self.layer is None:
            return network.input_gradient(x, targets)[1]
        place = network.place(self.layer)
        seed = np.zeros((len(x), *network.activations(x[:1], place).shape[1:]), np.float32)
        for row, channel in enumerate(targets):
            seed[row, ..., channel] = 1
        return network.unit_gradient(x, place, seed)

    def _scores(self, network: OpenNetwork, x: Array, targets: npt.NDArray[np.integer[Any]]) -> list[dict[str, Any]]:
        if self.layer is not None:
            features = network.activations(x, network.place(self.layer))
            means = [float(features[row, ..., channel].mean()) for row, channel in enumerate(targets)]
            return [
                {"channel": int(channel), "mean_activation": mean, "title": f"channel {channel}: mean {mean:.3g}"}
                for channel, mean in zip(targets, means, strict=True)
            ]
        logits, probabilities = network.predict(x)
        return [
            {
                "class": network.class_names[number],
                "class_number": int(number),
                "logit": float(logits[row, number]),
                "probability": float(probabilities[row, number]),
                "title": f"{visible(network.class_names[number])} {100 * probabilities[row, number]:.0f} %",
            }
            for row, number in enumerate(targets)
        ]


def _roughness(pixels: Array) -> Array:
    """Each pixel less the mean of its four neighbours; the border repeats."""
    padded = np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    around = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    rough: Array = (pixels - around / 4).astype(np.float32)
    return rough
