"""Global batches over replicas, and what is counted of them: exact with any number of replicas and any last batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.runtime.data.pipeline.sharding import Share
from archspec.runtime.models.metrics import cross_entropy, metric_sums


def replica_batches(strategy: Any, batches: Any, share: Share | None = None) -> Any:
    """A dataset of what each replica of this host takes of each global batch (x, y), one replica after the other.

    It is (x, y, examples, copies), `examples` the global number; `next_of_replicas` takes a step's.

    A batch with fewer examples than replicas goes to each of them whole: its mean and its moments stay what they are,
    and no replica sees an empty batch (on a CPU a convolution of no examples has the wrong shape). `copies` then says
    how often each example is counted; else it is 1.

    share: of several hosts, what this one has: `batches` are (x, y, examples) of its own replicas alone.
    """
    import tensorflow as tf

    replicas: int = strategy.num_replicas_in_sync
    mine = share or Share(0, replicas, replicas)

    def split(x: Any, y: Any, examples: Any) -> Any:
        few = examples < replicas
        origin = tf.where(few, 0, examples * mine.first // replicas)

        def part(replica: Any) -> Any:
            start = tf.where(few, 0, examples * replica // replicas) - origin
            stop = tf.where(few, examples, examples * (replica + 1) // replicas) - origin
            copies = tf.where(few, float(replicas), 1.0)
            return x[start:stop], y[start:stop], tf.cast(examples, tf.float32), copies

        return tf.data.Dataset.range(mine.first, mine.first + mine.here, output_type=tf.int32).map(part)

    def whole(x: Any, y: Any) -> Any:
        return x, y, tf.cast(tf.shape(y)[0], tf.float32), 1.0

    if replicas == 1:
        return batches.map(whole).prefetch(2)
    if share is None:
        return batches.flat_map(lambda x, y: split(x, y, tf.shape(y)[0])).prefetch(2 * replicas)
    return batches.flat_map(split).prefetch(2 * mine.here)


def next_of_replicas(strategy: Any, iterator: Any) -> Any:
    """The next element for each replica of this host, of an iterator over `replica_batches`.

    TensorFlow's distributed iterators cannot serve: each has autotuning, which no option reaches (`untuned`).
    """
    if strategy.num_replicas_in_sync == 1:
        return next(iterator)
    here = len(strategy.extended.worker_devices)
    parts = [next(iterator) for _ in range(here)]

    def distributed(which: int) -> Any:  # TensorFlow numbers replicas host by host
        return strategy.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group % here][which]
        )

    return tuple(distributed(which) for which in range(len(parts[0])))


def make_count_step(
    strategy: Any, logits_model: Any, *, confusion: bool = False, loss: Callable[[Any, Any], Any] | None = None
) -> Callable[[Any], Any]:
    """`step(iterator)` evaluates one global batch: the vector of its MetricSums and, if asked, its confusion matrix.

    The iterator is one over `replica_batches`. The loss is the cross-entropy, or `loss(logits, labels)`. The confusion
    matrix is float32 (classes, classes), to be rounded: the row is the true class, the column the predicted one.
    """
    import tensorflow as tf

    classes: int = logits_model.outputs[0].shape[-1]

    def replica_step(x: Any, y: Any, examples: Any, copies: Any) -> Any:
        logits = tf.cast(logits_model(x, training=False), tf.float32)
        losses = cross_entropy(tf, logits, y) if loss is None else loss(logits, y)
        counted = metric_sums(tf, logits, y, losses, copies)
        if not confusion:
            return counted, tf.zeros(())
        first = tf.argmax(logits, axis=-1, output_type=y.dtype)
        return counted, tf.math.confusion_matrix(y, first, classes, dtype=tf.float32) / copies

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(iterator: Any) -> Any:
        counted, table = strategy.run(replica_step, args=next_of_replicas(strategy, iterator))
        return strategy.reduce("SUM", counted, axis=None), strategy.reduce("SUM", table, axis=None)

    return step  # type: ignore[no-any-return]
