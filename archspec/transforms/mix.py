"""Transforms that mix each image and its label with another of the batch: mixup, cutmix."""

from __future__ import annotations

from typing import Any, ClassVar

from archspec.declare import POSITIVE_NUMBER, arg, declared
from archspec.transforms.base import PROBABILITY, Transform

HALVINGS = 40  # bisection steps for a quantile: to 1e-12


class Mixing(Transform):
    """Base of the transforms that mix image i of a batch of n with image n - 1 - i, which is random.

    They come last, after `preprocess`. A batch of one image is not changed.
    """

    batch_draws: ClassVar[int] = 0
    """Number of random numbers for a batch."""

    p: float

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        return images

    def mix(self, tf: Any, images: Any, targets: Any, draws: Any) -> tuple[Any, Any]:
        """Images (b, ...), float32, and targets (b, classes), sum 1 -> the same, mixed; draws (self.batch_draws,)."""
        raise NotImplementedError(f"{type(self).__name__}.mix")  # not implemented by a plugin


@declared
class Mixup(Mixing):
    """Blend each image and its label with another of the batch (Zhang et al. 2017, section 2).

    Shapes: any -> the same, float32. The share of the image is drawn from Beta(alpha, alpha), once for each batch. The
    loss is the cross-entropy with both labels, weighted by their shares; top-1 counts the label with the larger share.
    """

    name = "mixup"
    batch_draws = 2
    examples = (({}, (5, 7, 3)), ({"alpha": 1, "p": 0.5}, (9, 2)))

    alpha: float = arg(
        POSITIVE_NUMBER, "parameter of the Beta distribution: 1 is uniform, smaller values mix less", 0.2
    )
    p: float = arg(PROBABILITY, "probability that a batch is mixed, 0 to 1", 1.0)

    def mix(self, tf: Any, images: Any, targets: Any, draws: Any) -> tuple[Any, Any]:
        share = beta_quantile(tf, self.alpha, draws[0])
        # images are mixed in pairs: a smaller share would only exchange the two
        share = tf.where(draws[1] < self.p, tf.maximum(share, 1 - share), 1.0)
        return blended(images, share), blended(targets, share)


@declared
class Cutmix(Mixing):
    """Replace a rectangle of each image by that of another of the batch (Yun et al. 2019, section 3.1).

    Shapes: (H, W, C) -> the same, float32. The share of the area that is kept is drawn from Beta(alpha, alpha), once
    for each batch. The rectangle has the aspect ratio of the image and its center anywhere in it, and is cut off at the
    border. The labels are weighted by the areas that result.
    """

    name = "cutmix"
    needs = "image"
    batch_draws = 4
    examples = (({}, (5, 7, 3)), ({"alpha": 0.5, "p": 0.5}, (9, 4, 1)))

    alpha: float = arg(POSITIVE_NUMBER, "parameter of the Beta distribution: 1 is uniform", 1.0)
    p: float = arg(PROBABILITY, "probability that a batch is mixed, 0 to 1", 1.0)

    def mix(self, tf: Any, images: Any, targets: Any, draws: Any) -> tuple[Any, Any]:
        kept = tf.where(draws[1] < self.p, beta_quantile(tf, self.alpha, draws[0]), 1.0)
        extent = tf.cast(tf.shape(images)[1:3], tf.float32)
        half = extent * tf.sqrt(1 - kept) / 2
        centre = extent * draws[2:4]
        first, last = (tf.round(tf.clip_by_value(place, 0.0, extent)) for place in (centre - half, centre + half))
        rows, columns = (tf.range(extent[axis]) for axis in range(2))
        inside = ((rows >= first[0]) & (rows < last[0]))[:, None] & ((columns >= first[1]) & (columns < last[1]))
        share = 1 - tf.reduce_prod(last - first) / tf.reduce_prod(extent)
        return tf.where(inside[None, :, :, None], images[::-1], images), blended(targets, share)


def blended(values: Any, share: Any) -> Any:
    """share * value i + (1 - share) * value n - 1 - i, for n values (n, ...)."""
    return share * values + (1 - share) * values[::-1]


def beta_quantile(tf: Any, alpha: float, probability: Any) -> Any:
    """The quantile of Beta(alpha, alpha) at `probability`, a scalar: float32 in [0, 1]."""
    probability = tf.cast(probability, tf.float64)
    shape = tf.constant(alpha, tf.float64)

    def halve(step: Any, low: Any, high: Any) -> Any:
        middle = (low + high) / 2
        below = tf.math.betainc(shape, shape, middle) < probability
        return step + 1, tf.where(below, middle, low), tf.where(below, high, middle)

    bounds = (tf.constant(0), tf.constant(0.0, tf.float64), tf.constant(1.0, tf.float64))
    _, low, _ = tf.while_loop(lambda step, *_: step < HALVINGS, halve, bounds)
    return tf.cast(low, tf.float32)


def mixed(tf: Any, chain: list[Mixing], images: Any, targets: Any, draws: Any) -> tuple[Any, Any]:
    """A batch after one transform of the chain, drawn uniformly; draws (1 + max(batch_draws),) in [0, 1)."""

    def by(transform: Mixing) -> Any:
        return lambda: transform.mix(tf, images, targets, draws[1 : 1 + transform.batch_draws])

    chosen = tf.cast(draws[0] * len(chain), tf.int32)
    return tf.switch_case(chosen, [by(transform) for transform in chain])  # type: ignore[no-any-return]
