"""How features and probabilities change as the image moves, grows and turns (Zeiler & Fergus 2014, figure 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.declare import POSITIVE, arg, declared
from archspec.diagnostics import counted, fail, visible
from archspec.runtime.data.images import Report
from archspec.runtime.data.pipeline.preprocess import preprocess_values
from archspec.runtime.explain.explain_method import TEXT, ExplainMethod
from archspec.runtime.explain.explanation import Findings
from archspec.runtime.explain.feature_vectors import VECTOR_LAYER, vector_layer
from archspec.runtime.explain.image_batches import ImageBatches
from archspec.runtime.explain.map_scaling import Array
from archspec.runtime.explain.open_layer import OpenLayer
from archspec.runtime.explain.open_network import OpenNetwork

Pixels = npt.NDArray[np.uint8]
OUTSIDE = 127
"""Grey level that moves into the image."""
DIRECT = 6
"""Most images with a label on each curve."""
LEGEND = 900
"""Width of all labels together, in pixels of the font of contact sheets."""


def moved(pixels: Pixels, shift: float = 0, scale: float = 1, degrees: float = 0) -> Array:
    """An image (H, W, C) moved down by `shift` pixels, enlarged around its centre, turned anticlockwise; bilinear."""
    from PIL import Image

    height, width = pixels.shape[:2]
    turn = np.deg2rad(degrees)
    cosine, sine = np.cos(turn) / scale, np.sin(turn) / scale
    x, y = width / 2, height / 2
    # output (u, v) reads input (a u + b v + c, d u + e v + f): pixel centres are at halves
    a, b, d, e = cosine, -sine, sine, cosine
    matrix = (a, b, x - a * x - b * (y + shift), d, e, y - d * x - e * (y + shift))
    planes = [
        Image.fromarray(pixels[..., channel].astype(np.float32)).transform(
            (width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=OUTSIDE
        )
        for channel in range(pixels.shape[-1])
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


@declared
class Invariance(ExplainMethod):
    """Invariance: the change of features and of the class probability as the image is moved, enlarged and turned.

    The distance is that of the features of a low and of a high layer to those of the unchanged image, in units of their
    norm. The probability is that of the true class, or of the predicted class for an image without a label
    (Zeiler & Fergus 2014, figure 5).
    """

    name = "invariance"

    low: str | None = arg(TEXT, "path of the low layer; by default the first convolution's activation", None)
    layer: str | None = VECTOR_LAYER
    steps: int = arg(POSITIVE, "points on each curve", 25)
    shift: int | None = arg(
        {"type": ["integer", "null"], "minimum": 1}, "largest shift up and down, pixels; by default a quarter", None
    )
    scale: float = arg({"type": "number", "exclusiveMinimum": 1}, "largest magnification", 1.8)
    degrees: float = arg({"type": "number", "exclusiveMinimum": 0, "maximum": 360}, "largest rotation, degrees", 360.0)

    def check(self, network: OpenNetwork) -> None:
        vector_layer(network, self.layer)
        self._low(network)
        if None in network.input_shape:
            fact = "the input of the network has a free size"
            raise fail("method-not-applicable", fact, help="build the network with a fixed input size")

    def explained_layer(self, network: OpenNetwork) -> str | None:
        return vector_layer(network, self.layer).path

    def _low(self, network: OpenNetwork) -> OpenLayer:
        if self.low is not None:
            return network.place(self.low)
        spatial = [each for each in network.places if each.is_spatial]
        first = next((i for i, each in enumerate(spatial) if "Conv" in network.calls[each.call].kind), 0)
        for each in spatial[first : first + 4]:
            if network.calls[each.call].kind in ("Activation", "ReLU", "LeakyReLU", "PReLU"):
                return each
        if not spatial:
            raise fail("not-spatial", "no layer of the network has spatial extent", help="name one with `low`")
        return spatial[first]

    def changes(self, height: int) -> Mapping[str, tuple[str, Array, list[dict[str, float]]]]:
        """Transformation -> label of its axis, values, and the arguments of `moved`."""
        reach = self.shift or max(1, round(height / 4))
        shifts = np.linspace(-reach, reach, self.steps, dtype=np.float32)
        scales = np.linspace(1, self.scale, self.steps, dtype=np.float32)
        turns = np.linspace(0, self.degrees, self.steps, dtype=np.float32)
        return {
            "translation": ("vertical shift (pixels)", shifts, [{"shift": float(each)} for each in shifts]),
            "scaling": ("magnification", scales, [{"scale": float(each)} for each in scales]),
            "rotation": ("rotation (degrees)", turns, [{"degrees": float(each)} for each in turns]),
        }

    def explain(self, network: OpenNetwork, images: ImageBatches, report: Report) -> Findings:
        places = {"low": self._low(network), "high": vector_layer(network, self.layer)}
        changes = self.changes(int(network.input_shape[0] or 0))
        names, labels, classes = [], [], []
        curves: dict[str, list[Array]] = {f"{change}/{what}": [] for change in changes for what in (*places, "p")}
        for batch in images:
            for row, name in enumerate(batch.names):
                label, pixels = batch.labels[row], batch.pixels[row]
                x = self._inputs(network, pixels, [{}])
                _, probabilities = network.predict(x)
                known = label is not None and label in network.class_names
                number = network.class_names.index(label) if known else int(probabilities.argmax())
                original = {what: network.activations(x, place) for what, place in places.items()}
                for change, (_, _, settings) in changes.items():
                    found = self._curve(network, pixels, settings, places, original, number)
                    for what, values in found.items():
                        curves[f"{change}/{what}"].append(values)
                names.append(name)
                labels.append(label)
                classes.append(network.class_names[number])
                images.tell(report, len(names))
        arrays = {name: np.stack(values) for name, values in curves.items() if values}
        arrays |= {f"{change}/values": values for change, (_, values, _) in changes.items()}
        numbers = {
            "low_layer": places["low"].path,
            "curves": [
                {"file": name, "label": label, "class": each}
                for name, label, each in zip(names, labels, classes, strict=True)
            ],
            **{
                change: {
                    "values": changes[change][1].tolist(),
                    **{what: arrays[f"{change}/{what}"].tolist() for what in ("low", "high", "p")},
                }
                for change in (changes if names else ())
            },
        }

        def draw() -> Any:
            return _drawn(changes, arrays, names, classes, places)

        lines = []
        for change in changes if names else ():
            low, high, p = (arrays[f"{change}/{what}"] for what in ("low", "high", "p"))
            lines.append(
                f"{change}: mean distance {low.mean():.2f} at {places['low'].path} and {high.mean():.2f} at "
                f"{places['high'].path}; mean probability {100 * p.mean():.0f} %"
            )
        return Findings((), {"invariance": draw} if names else {}, arrays, numbers, (), tuple(lines))

    def _inputs(self, network: OpenNetwork, pixels: Pixels, settings: list[dict[str, float]]) -> Array:
        """The changed images as inputs of the network (n, H, W, C)."""
        import tensorflow as tf

        views: Any = tf.constant(np.stack([moved(pixels, **each) for each in settings]))
        prepared: Array = preprocess_values(tf, views, network.input_shape, network.metadata.preprocess).numpy()
        return prepared

    def _curve(
        self,
        network: OpenNetwork,
        pixels: Pixels,
        settings: list[dict[str, float]],
        places: Mapping[str, OpenLayer],
        original: Mapping[str, Array],
        number: int,
    ) -> dict[str, Array]:
        """Relative distances at each layer and the probability, one for each change of an image."""
        parts: dict[str, list[Array]] = {"low": [], "high": [], "p": []}
        for start in range(0, len(settings), network.batch_size):
            x = self._inputs(network, pixels, settings[start : start + network.batch_size])
            for what, place in places.items():
                features, first = network.activations(x, place).reshape(len(x), -1), original[what].reshape(-1)
                norm = np.linalg.norm(first) or 1.0
                parts[what].append(np.linalg.norm(features - first, axis=1) / norm)
            parts["p"].append(network.predict(x)[1][:, number])
        return {what: np.concatenate(values).astype(np.float32) for what, values in parts.items()}


def _drawn(
    changes: Mapping[str, tuple[str, Array, list[dict[str, float]]]],
    arrays: Mapping[str, npt.NDArray[Any]],
    names: list[str],
    classes: list[str],
    places: Mapping[str, OpenLayer],
) -> Any:
    from archspec.runtime.explain.figures import COLORS, figure, pixels_of
    from archspec.runtime.explain.picture import fitted_text, short_name

    columns = {
        "low": f"distance at {places['low'].path}\n(share of the norm)",
        "high": f"distance at {places['high'].path}\n(share of the norm)",
        "p": "probability of the class",
    }
    few = len(names) <= DIRECT
    with figure(11, 8.5, nrows=3, ncols=3) as (made, axes):
        for row, (change, (label, values, _)) in enumerate(changes.items()):
            for column, (what, title) in enumerate(columns.items()):
                ax = axes[row, column]
                curves = arrays[f"{change}/{what}"]
                for index, curve in enumerate(curves):
                    color = COLORS[index % len(COLORS)] if few else "#0072b2"
                    ax.plot(values, curve, color=color, lw=1.4 if few else 0.5, alpha=1 if few else 0.35)
                if not few:
                    ax.plot(values, curves.mean(axis=0), color="#d55e00", lw=2.2)
                ax.set_xlabel(label, fontsize=8)
                ax.set_ylim(0, 1.02 if what == "p" else None)
                if row == 0:
                    ax.set_title(title, fontsize=9)
                if column == 0:
                    ax.set_ylabel(change, fontsize=10)
        if few:
            for index, (name, each) in enumerate(zip(names, classes, strict=True)):
                text = fitted_text(f"{visible(each)} ({short_name(name)})", LEGEND / max(len(names), 3))
                made.text(0.02 + index / max(len(names), 3), -0.025, text, color=COLORS[index], fontsize=9)
        else:
            made.text(0.02, -0.025, f"{counted(len(names), 'image')} (blue), their mean (orange)", fontsize=9)
        made.suptitle("Change of features under translation, scaling and rotation", fontsize=12)
        return _with_margin(made, pixels_of)


def _with_margin(made: Any, draw: Any) -> Any:
    """The figure with room for the line of text below it."""
    made.get_layout_engine().set(rect=(0, 0.04, 1, 0.96))
    for text in made.texts:
        if text.get_position()[1] < 0:
            text.set_y(0.012)
    return draw(made)
