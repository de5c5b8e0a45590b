"""Splits global batches over replicas, and counts metrics, exactly for any number of replicas and any last batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.runtime.data.pipeline.epoch_plan import Share
from archspec.runtime.models.metrics import cross_entropy, metric_sums, target_sums
from archspec.targets import OutputTargets


def replica_batches(strategy: Any, batches: Any, share: Share | None = None) -> Any:
    """A dataset of the parts of global batches (x, y) for the replicas of this worker, one replica after the other.

    Its elements are (x, y, examples, copies), with the global number of examples; `next_of_replicas` takes one for each
    replica.

    A batch with fewer examples than replicas goes to each of them whole: its mean and moments are unchanged, and no
    replica gets an empty batch (on a CPU a convolution of no examples has the wrong shape). `copies` is then the number
    of replicas, else 1.

    share: with several workers, the share of this one; `batches` are (x, y, examples) of its replicas alone.
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
    """The next element for each replica of this worker, of an iterator over `replica_batches`.

    TensorFlow's distributed iterators are not used: each has autotuning, which no option can switch off (`untuned`).
    """
    if strategy.num_replicas_in_sync == 1:
        return next(iterator)
    here = len(strategy.extended.worker_devices)
    parts = [next(iterator) for _ in range(here)]

    def distributed(which: int) -> Any:  # TensorFlow numbers replicas worker by worker
        return strategy.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group % here][which]
        )

    return tuple(distributed(which) for which in range(len(parts[0])))


def make_count_step(
    strategy: Any,
    logits_model: Any,
    loss: Callable[[Any, Any], Any] | None = None,
    targets: OutputTargets | None = None,
) -> Callable[[Any], Any]:
    """`step(iterator)` evaluates the next global batch of `replica_batches`, and returns its `target_sums`.

    Args:
        logits_model: of one output, or of all targets side by side (`scores_of`).
        loss: `loss(scores, labels)`, the cross-entropy by default.
        targets: by default one class for each image.
    """
    import tensorflow as tf

    def replica_step(x: Any, y: Any, examples: Any, copies: Any) -> Any:
        logits = tf.cast(logits_model(x, training=False), tf.float32)
        losses = cross_entropy(tf, logits, y) if loss is None else loss(logits, y)
        if targets is None:
            return metric_sums(tf, logits, y, losses, copies)
        scores = tf.split(logits, targets.units, axis=-1) if len(targets) > 1 else [logits]
        return target_sums(tf, targets, scores, y, losses, copies, running=False)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(iterator: Any) -> Any:
        sums = strategy.run(replica_step, args=next_of_replicas(strategy, iterator))
        return strategy.reduce("SUM", sums, axis=None)

    return step  # type: ignore[no-any-return]
