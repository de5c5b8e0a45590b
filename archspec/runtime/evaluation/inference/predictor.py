"""A trained network that predicts posteriors: of crops, and of whole images by its fully convolutional form."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import ArchspecError, fail
from archspec.graph.rewrite.fully_convolutional import convolutionalize as convolutionalize_graph
from archspec.graph.rewrite.padding import dense_effects
from archspec.ops.base import Shape
from archspec.runtime.data.files.fingerprint import fingerprint
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.batches import evaluation_batches
from archspec.runtime.data.pipeline.preprocess import preprocess_values
from archspec.runtime.dense.convert import convolutionalize, graph_of
from archspec.runtime.dense.scorer import DenseScorer
from archspec.runtime.models.classifier import scores_of, targets_of_model
from archspec.runtime.models.fold_batch_norm import fold_batch_norm
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, model_path
from archspec.runtime.models.population_statistics import set_population_statistics
from archspec.runtime.system import memory as machine
from archspec.runtime.system.tensorflow_import import import_tensorflow
from archspec.targets import OutputTargets

Predict = Callable[[Any], Any]
"""Inputs (B, ...) -> softmax outputs (B, classes), float32; tensors or arrays."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained network on its devices, with the metadata of its file."""

    path: Path
    model: Any = field(repr=False)
    logits_model: Any = field(repr=False)
    metadata: Metadata
    strategy: Any = field(repr=False)
    targets: OutputTargets = field(repr=False)
    statistics: str = ""
    """What gave batch normalization other statistics than those of the file; empty for those of the file."""
    _dense_functions: dict[tuple[str, str], Predict] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, path: str | Path, strategy: Any) -> Predictor:
        """Load a model file, or the best model of a run directory.

        Raises:
            ArchspecError: those of `load_model` and `logits_of`.
        """
        path = model_path(path)
        with strategy.scope():
            model, metadata = load_model(path)
            targets = targets_of_model(model, metadata)
            return cls(path, model, scores_of(model, targets), metadata, strategy, targets)

    def with_statistics_of(self, images: Images, name: str, batch_size: int) -> Predictor:
        """The network, which changes too, with batch normalization by the statistics of these images.

        Raises:
            ArchspecError: those of `set_population_statistics`; `no-batch-norm` for a network without it.
        """
        rows = np.random.default_rng(0).permutation(len(images))  # each batch has images of all classes
        batches = evaluation_batches(
            images.only(rows),
            input_shape=self.input_shape,
            batch_size=batch_size,
            preprocess=self.metadata.preprocess,
            resize=self.metadata.resize,
        )
        if not set_population_statistics(self.model, (x for x, _ in batches)):
            fact = f"`{self.path}` has no batch normalization whose statistics could be recomputed"
            raise fail("no-batch-norm", fact, help="leave `--recompute-bn` out")
        return replace(self, statistics=f" {name} {fingerprint(images)} {batch_size}", _dense_functions={})

    @property
    def input_shape(self) -> Shape:
        return tuple(self.model.input_shape[1:])

    @property
    def classes(self) -> int:
        return int(self.logits_model.output_shape[-1])

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the file, and what gave batch normalization other statistics."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() + self.statistics

    @cached_property
    def _posteriors(self) -> Predict:
        """Posteriors of preprocessed inputs, by the network with folded batch normalization."""
        tf = import_tensorflow()
        with self.strategy.scope():
            folded = fold_batch_norm(self.logits_model)
        return lambda x: self.targets.activate(tf, tf.cast(folded(x, training=False), tf.float32))

    @cached_property
    def of_inputs(self) -> Predict:
        """Posteriors of preprocessed inputs."""
        return self._run(self._posteriors, self.input_shape)

    @cached_property
    def of_crops(self) -> Predict:
        """Posteriors of crops of the input's size, (B, H, W, C), float32 pixel values from 0 to 255."""
        tf, shape, preprocess = import_tensorflow(), self.input_shape, self.metadata.preprocess
        posteriors = self._posteriors  # made here, not while the function is traced
        return self._run(lambda x: posteriors(preprocess_values(tf, x, shape, preprocess)), shape)

    def of_images(self, average: str) -> Predict:
        """Posteriors of images of any size, (B, H, W, C), float32 from 0 to 255, by the fully convolutional network.

        Args:
            average: `scores` applies the softmax to the mean of the map of class scores (Simonyan & Zisserman 2014,
                section 3.2); `posteriors` is the mean of the map of softmax outputs.

        Raises:
            ArchspecError: those of `convolutionalize`, such as `not-convolutional`.
        """
        if not self.targets.is_plain:
            fact = f"`{self.path}` has no single softmax output, which dense evaluation averages"
            raise fail("not-convolutional", fact, help="use `--protocol center` or another protocol of crops")
        if ("whole", average) in self._dense_functions:
            return self._dense_functions["whole", average]
        tf = import_tensorflow()
        free = (None, None, self.input_shape[-1])
        dense = self._dense  # built here, not while the function is traced

        def posteriors(x: Any) -> Any:
            x = preprocess_values(tf, x, free, self.metadata.preprocess)
            scores = tf.cast(dense(x, training=False), tf.float32)
            if scores.shape.rank == 2:  # a network of free input size averages itself
                return _softmax(tf, scores)
            if average == "scores":
                return _softmax(tf, tf.reduce_mean(scores, axis=[1, 2]))
            return tf.reduce_mean(_softmax(tf, scores), axis=[1, 2])

        return self._dense_functions.setdefault(("whole", average), self._run(posteriors, free))

    def in_tiles(self, average: str) -> Predict:
        """As `of_images`, for images that do not fit into memory as a whole: one at a time, in tiles, on one device."""
        tf, scorer = import_tensorflow(), self.scorer
        assert scorer is not None  # tiles are used only where the scorer has bounded the memory
        free = (None, None, self.input_shape[-1])

        def posteriors(x: Any) -> Any:
            scores = scorer(np.asarray(preprocess_values(tf, x, free, self.metadata.preprocess)))
            if average == "scores":
                return _softmax(tf, scores.mean(axis=(1, 2)))
            return tf.reduce_mean(_softmax(tf, scores), axis=[1, 2])

        return self._dense_functions.setdefault(("tiles", average), posteriors)

    @cached_property
    def scorer(self) -> DenseScorer | None:
        """The fully convolutional network with its memory limit, half of the memory that is free now.

        None on a GPU, and where the graph of the network cannot be read.
        """
        if import_tensorflow().config.get_visible_devices("GPU"):
            return None
        try:
            graph = graph_of(self.model, self.metadata)
        except ArchspecError:  # `_dense` reports it where the network has a fixed size
            return None
        free = None in self.input_shape
        dense = graph if free else convolutionalize_graph(graph, output="logits")
        window = () if free else tuple(side or 0 for side in self.input_shape[:-1])
        effects = () if free else dense_effects(graph, dense)
        return DenseScorer(self._dense, dense, window, effects, machine.free_memory() // 2)

    @cached_property
    def _dense(self) -> Any:
        """The keras.Model (B, H, W, C) -> (B, H', W', classes), before the softmax."""
        if None in self.input_shape:
            return self.logits_model
        with self.strategy.scope():
            return convolutionalize(self.model, graph=graph_of(self.model, self.metadata), output="logits")

    def _run(self, posteriors: Callable[[Any], Any], shape: Shape) -> Predict:
        """The function compiled by TensorFlow; each batch is divided over the replicas."""
        tf = import_tensorflow()
        replicas: int = self.strategy.num_replicas_in_sync
        if replicas == 1:
            signature = [tf.TensorSpec((None, *shape), tf.float32)]
            compiled: Predict = tf.function(posteriors, autograph=False, input_signature=signature)
            return compiled
        step = tf.function(lambda x: self.strategy.run(posteriors, args=(x,)), autograph=False, reduce_retracing=True)

        def divided(x: Any) -> Any:
            count = len(x)
            rows = np.minimum(np.arange(-(-count // replicas) * replicas), count - 1)  # no replica without a row
            parts = np.split(rows, replicas)
            given = self.strategy.experimental_distribute_values_from_function(
                lambda context: tf.gather(x, parts[context.replica_id_in_sync_group])
            )
            return tf.concat(self.strategy.experimental_local_results(step(given)), axis=0)[:count]

        return divided


def _softmax(tf: Any, logits: Any) -> Any:
    return tf.nn.softmax(tf.cast(logits, tf.float32))
