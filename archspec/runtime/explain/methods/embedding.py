"""A map of a data set: the features of a layer in two dimensions, with the images as thumbnails."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.declare import NATURAL, POSITIVE, arg, choice, declared
from archspec.diagnostics import counted, fail, visible
from archspec.runtime.data.images import Report
from archspec.runtime.explain.explain_method import ExplainMethod
from archspec.runtime.explain.explanation import Findings
from archspec.runtime.explain.feature_vectors import VECTOR_LAYER, feature_vectors, vector_layer
from archspec.runtime.explain.image_batches import ImageBatches
from archspec.runtime.explain.open_network import OpenNetwork

THUMBNAIL, CANVAS, MARGIN = 28, 1100, 40  # pixels
PALETTE = 10  # classes with a color of their own


@declared
class Embedding(ExplainMethod):
    """Embedding: a map of a data set in which images with similar features of a layer are near each other.

    `pca` shows the two directions in which the features vary most, and distances can be read. `tsne` shows which
    images are neighbours, and distances between groups mean nothing (van der Maaten & Hinton 2008). The frame of a
    thumbnail has the color of the true class.
    """

    name = "embedding"
    takes = "data"
    extra = "explain"

    layer: str | None = VECTOR_LAYER
    projection: str = arg(
        choice("pca", "tsne"), "how the features become two numbers; `tsne` needs scikit-learn", "pca"
    )
    count: int = arg(POSITIVE, "largest number of images on the map, chosen evenly from the data set", 2000)
    seed: int = arg(NATURAL, "seed of t-SNE", 0)

    def check(self, network: OpenNetwork) -> None:
        vector_layer(network, self.layer)
        if self.projection == "tsne" and find_spec("sklearn") is None:
            raise fail(
                "missing-package",
                "`projection: tsne` needs scikit-learn, which is not installed",
                help=f"`pip install 'archspec-keras[{self.extra}]'`, or use `pca`",
            )

    def explained_layer(self, network: OpenNetwork) -> str | None:
        return vector_layer(network, self.layer).path

    def explain(self, network: OpenNetwork, images: ImageBatches, report: Report) -> Findings:
        place = vector_layer(network, self.layer)
        total = len(images.given)
        evenly = np.linspace(0, total - 1, min(self.count, total)).astype(int)
        rows: Sequence[int] = np.unique(evenly).tolist()
        some = ImageBatches(network, [images.given[row] for row in rows], images.batch_size, bad=images.bad)
        vectors, thumbnails = [], []
        names: list[str] = []
        labels: list[str | None] = []
        for batch in some:
            vectors.append(feature_vectors(network, batch, place))
            thumbnails += [_thumbnail(each) for each in batch.pixels]
            names += batch.names
            labels += batch.labels
            some.tell(report, len(names))
        if len(names) < 3:
            fact = f"a map needs at least 3 images, but {len(names)} can be read"
            raise fail("data-empty", fact, help="give more images")
        points, facts, notes = self._points(np.concatenate(vectors))
        if len(rows) < total:
            notes.append(f"{len(rows):,} of {counted(total, 'image')} are shown: `count` sets how many")
        numbers = {
            **facts,
            "points": [
                {"file": name, "label": label, "x": float(x), "y": float(y)}
                for name, label, (x, y) in zip(names, labels, points, strict=True)
            ],
        }

        def draw() -> Any:
            return _drawn(points, thumbnails, labels, network.class_names, f"{place.path}, {self._axes(facts)}")

        line = f"{counted(len(names), 'image')} at {place.path}: {self._axes(facts)}"
        return Findings((), {"embedding": draw}, {"points": points}, numbers, tuple(notes), (line,))

    def _points(self, vectors: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], dict[str, Any], list[str]]:
        """Two numbers for each image, and how much of the variance the two directions hold."""
        centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
        u, sizes, _ = np.linalg.svd(centred, full_matrices=False)
        variance = sizes**2
        if not variance.sum():
            return (
                np.zeros((len(vectors), 2), np.float32),
                {"explained_variance": [0.0, 0.0]},
                ["all features are equal"],
            )
        shares = (variance / variance.sum())[:2]
        shares = np.pad(shares, (0, 2 - len(shares)))
        if self.projection == "pca":
            points = (u * sizes)[:, :2]
            points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
            points *= np.where(points[np.abs(points).argmax(axis=0), [0, 1]] < 0, -1, 1)  # signs are arbitrary
            return points.astype(np.float32), {"explained_variance": shares.tolist()}, []
        from sklearn.manifold import TSNE

        perplexity = min(30, (len(vectors) - 1) / 3)
        start = (u * sizes)[:, : min(50, len(sizes))]
        made = TSNE(2, perplexity=perplexity, init="pca", random_state=self.seed).fit_transform(start)
        return np.asarray(made, np.float32), {"perplexity": float(perplexity)}, []

    def _axes(self, facts: dict[str, Any]) -> str:
        if self.projection == "tsne":
            return f"t-SNE with perplexity {facts['perplexity']:.0f}"
        first, second = facts["explained_variance"]
        return f"principal components with {100 * first:.0f} % and {100 * second:.0f} % of the variance"


def _thumbnail(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    from PIL import Image

    from archspec.runtime.explain.picture import rgb_of

    return np.asarray(Image.fromarray(rgb_of(pixels)).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR))


def _drawn(
    points: npt.NDArray[np.float32],
    thumbnails: Sequence[npt.NDArray[np.uint8]],
    labels: Sequence[str | None],
    classes: Sequence[str],
    title: str,
) -> Any:
    """Dots of all images, and thumbnails where they do not cover each other; names at the medians of the classes."""
    from PIL import Image, ImageColor, ImageDraw

    from archspec.runtime.explain.figures import COLORS
    from archspec.runtime.explain.picture import BACKGROUND, INK, font, with_heading

    named = list(dict.fromkeys(label for label in labels if label is not None))
    order = [name for name in classes if name in named] + [name for name in named if name not in classes]
    colors = {name: COLORS[number % len(COLORS)] for number, name in enumerate(order)}
    span = points.max(axis=0) - points.min(axis=0)
    places = (points - points.min(axis=0)) / np.where(span > 0, span, 1)
    places = (places * (CANVAS - 2 * MARGIN) + MARGIN).astype(int)
    places[:, 1] = CANVAS - places[:, 1]  # up is positive
    whole = Image.new("RGB", (CANVAS, CANVAS), BACKGROUND)
    draw = ImageDraw.Draw(whole)
    for (x, y), label in zip(places, labels, strict=True):
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colors.get(label or "", "#888888"))
    taken: set[tuple[int, int]] = set()
    half = THUMBNAIL // 2 + 2
    for (x, y), picture, label in zip(places, thumbnails, labels, strict=True):
        square = (int(x) // (2 * half), int(y) // (2 * half))
        if square in taken:
            continue
        taken.add(square)
        left, top = square[0] * 2 * half, square[1] * 2 * half
        draw.rectangle(
            (left, top, left + 2 * half - 2, top + 2 * half - 2),
            fill=ImageColor.getrgb(colors.get(label or "", "#888888")),
        )
        whole.paste(Image.fromarray(picture), (left + 1, top + 1))
    for name in order:
        middle = np.median(places[[label == name for label in labels]], axis=0).astype(int)
        text = visible(name)
        width = font(14).getlength(text)
        x = int(np.clip(middle[0] - width / 2, 4, CANVAS - width - 4))
        draw.rounded_rectangle((x - 4, middle[1] - 10, x + width + 4, middle[1] + 10), 4, BACKGROUND, colors[name], 2)
        draw.text((x, middle[1] - 8), text, INK, font(14))
    if len(order) > PALETTE:
        title += f"; {len(order)} classes share {PALETTE} colors"
    return np.pad(with_heading(np.asarray(whole), title), ((8, 8), (8, 8), (0, 0)), constant_values=255)
