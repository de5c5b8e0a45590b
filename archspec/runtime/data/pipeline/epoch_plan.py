"""The plan of an epoch: its order, a permutation of the images; its draws, the random numbers of each image; and its
sharding, the part of each global batch that the replicas of one worker process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt


def epoch_plan(tf: Any, count: int, draws: int, seed: int, epoch: Any) -> tuple[Any, Any]:
    """The order of an epoch, int64 (count,), and the draws of each image, float32 (count, draws) in [0, 1).

    The seed of the permutation is drawn too: with consecutive seeds, TensorFlow's index_shuffle is not uniform (chi
    squared per degree of freedom is 8, instead of 1, for the positions of an image in 2,000 epochs).
    """
    epoch = tf.cast(epoch, tf.int64)
    # seeds of 63 bits; the parity of the second word separates the two streams of an epoch
    first = tf.constant(seed % 2**63, tf.int64)
    shuffle_seed = tf.random.stateless_uniform(
        (2,), tf.stack([first, 2 * epoch]), minval=None, maxval=None, dtype=tf.int32, alg="philox"
    )
    indices = tf.range(tf.constant(count, tf.int64))
    order = tf.random.experimental.index_shuffle(indices, shuffle_seed, tf.constant(count - 1, tf.int64))
    return order, tf.random.stateless_uniform((count, draws), tf.stack([first, 2 * epoch + 1]), alg="philox")


def batch_draws(tf: Any, steps: int, draws: int, seed: int, epoch: Any) -> Any:
    """The draws of each batch of an epoch, float32 (steps, draws) in [0, 1), from another stream than the images'."""
    first = tf.constant(seed % 2**63, tf.int64)
    stream = tf.stack([first, -1 - tf.cast(epoch, tf.int64)])
    return tf.random.stateless_uniform((steps, draws), stream, alg="philox")


Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Share:
    """The replicas of one worker: `here` of all `replicas`, from number `first`.

    Replica r gets the examples [n r // replicas, n (r + 1) // replicas) of a batch of n examples; of a batch with fewer
    examples than replicas, each replica gets all.
    """

    first: int = 0
    here: int = 1
    replicas: int = 1

    def of(self, examples: Places) -> tuple[Places, Places]:
        """Its first example, and the one after its last, in batches of these sizes."""
        few = examples < self.replicas
        starts = np.where(few, 0, examples * self.first // self.replicas)
        return starts, np.where(few, examples, examples * (self.first + self.here) // self.replicas)


@dataclass(frozen=True)
class Cut:
    """One pass over `count` images in batches of `batch_size`, of which a worker reads its share."""

    count: int
    batch_size: int
    share: Share = Share()

    @cached_property
    def examples(self) -> Places:
        """Size of each global batch, int64 (steps,)."""
        steps = -(-self.count // self.batch_size)
        return np.minimum(self.batch_size, self.count - self.batch_size * np.arange(steps))

    @cached_property
    def bounds(self) -> tuple[Places, Places]:
        """Start and end of the share in each batch, int64 (steps,) each."""
        return self.share.of(self.examples)

    @cached_property
    def sizes(self) -> Places:
        """Size of the share in each batch, int64 (steps,)."""
        starts, stops = self.bounds
        return stops - starts

    @cached_property
    def places(self) -> Places:
        """Positions in the pass that belong to the share, in order."""
        starts, stops = self.bounds
        places = np.arange(self.count)
        step, within = np.divmod(places, self.batch_size)
        return places[(starts[step] <= within) & (within < stops[step])]


def row_batches(tf: Any, cut: Cut, order: Any, skip: Any = 0) -> Any:
    """A dataset of the rows of the share in each batch, from batch `skip`."""
    starts, stops = map(tf.constant, cut.bounds)

    def rows(step: Any) -> Any:
        first = step * cut.batch_size
        return order[first + starts[step] : first + stops[step]]

    return tf.data.Dataset.range(skip, len(cut.examples)).map(tf.autograph.experimental.do_not_convert(rows))


def batched(tf: Any, cut: Cut, order: Any, each: Callable[[Any], Any], skip: Any = 0) -> Any:
    """A dataset of the share of each batch, from batch `skip`; `each` makes a dataset of single images of some rows."""
    rows = order if cut.share.here == cut.share.replicas else tf.gather(order, cut.places)
    first, last = int(cut.sizes[0]), int(cut.sizes[-1])
    if last <= first:
        return each(rows[skip * first :]).batch(first)
    return each(rows[skip * first : -last]).batch(first).concatenate(each(rows[-last:]).batch(last))


def shared(tf: Any, batches: Any, cut: Cut, skip: Any = 0, *, whole: bool = False) -> Any:
    """Batches (x, y) from batch `skip` -> (x, y, size of the global batch); `whole` batches are cut to the share."""
    table = tf.constant(np.stack([cut.examples, *cut.bounds], axis=1))[skip:]

    def one(batch: Any, row: Any) -> tuple[Any, Any, Any]:
        x, y = batch
        part = slice(row[1], row[2]) if whole else slice(None)
        return x[part], y[part], tf.cast(row[0], tf.int32)

    both = tf.data.Dataset.zip((batches, tf.data.Dataset.from_tensor_slices(table)))
    return both.map(tf.autograph.experimental.do_not_convert(one))
