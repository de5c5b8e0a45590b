"""Outputs of a trained network for the images of a lab, batch by batch: memory does not limit their number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from archspec.graph.ir import Graph

Array = npt.NDArray[Any]
Pixels = npt.NDArray[Any]
Posteriors = npt.NDArray[np.float32]
BATCH_SIZE = 256


class NetworkOutputs:
    """Softmax outputs of a model file, with the preprocessing of its spec.

    Its methods take batches of images of 0 to 255, (b, H, W, C); larger images are cropped to their middle.
    """

    def __init__(self, model: Path) -> None:
        from archspec.runtime.evaluation.inference.predictor import Predictor
        from archspec.runtime.system.tensorflow_import import import_tensorflow

        self.tf = import_tensorflow()
        self.predictor = Predictor.open(model, self.tf.distribute.get_strategy())

    def posteriors(self, batches: Iterable[Pixels]) -> Posteriors:
        """(N, classes)."""
        return self._each(batches, self._of_batch)

    def classes(self, batches: Iterable[Pixels]) -> npt.NDArray[np.int64]:
        """The most probable class of each image, (N,). Only the classes are kept in memory."""
        return self._each(batches, lambda x: self._of_batch(x).argmax(axis=1))

    def thinned(self, batches: Iterable[Pixels], networks: int) -> Posteriors:
        """The mean outputs of networks whose units are dropped at random as in training (Srivastava et al. 2014,
        section 7.5: the Monte Carlo average), (N, classes).
        """
        import keras

        keras.utils.set_random_seed(0)

        def mean(x: Pixels) -> Posteriors:
            inputs, total = self._inputs(x), np.zeros((len(x), self.predictor.classes), np.float64)
            for _ in range(networks):
                total += np.asarray(self.tf.nn.softmax(self.predictor.logits_model(inputs, training=True)))
            return (total / networks).astype(np.float32)

        return self._each(batches, mean)

    def deepened(self, batches: Iterable[Pixels], after: Mapping[str, int], graph: Graph) -> Posteriors:
        """The outputs of the network with identity layers after its relus (He et al. 2015, section 1), (N, classes).

        Args:
            after: {pattern of the paths of relus: number of layers after each}.
            graph: of the network.

        Raises:
            ArchspecError: those of `deepen`.
        """
        from archspec.runtime.dense.net2deeper import deepen

        deeper = deepen(self.predictor.model, after, graph=graph)
        return self._each(batches, lambda x: np.asarray(deeper(self._inputs(x), training=False), np.float32))

    def _each(self, batches: Iterable[Pixels], function: Callable[[Pixels], Array]) -> Array:
        shape = self.predictor.input_shape
        found: Array = np.concatenate([function(central(x, shape)) for x in batches])
        return found

    def _of_batch(self, x: Pixels) -> Posteriors:
        from archspec.runtime.system.tensorflow_import import warnings_hidden

        with warnings_hidden():  # of a function that is traced again for each network of a lab
            parts = [np.asarray(self.predictor.of_crops(part.astype(np.float32))) for part in parts_of(x)]
        return np.concatenate(parts)

    def _inputs(self, x: Pixels) -> Any:
        from archspec.runtime.data.pipeline.preprocess import preprocess_values

        values = self.tf.constant(x, self.tf.float32)
        return preprocess_values(self.tf, values, self.predictor.input_shape, self.predictor.metadata.preprocess)


def parts_of(x: Pixels) -> Iterator[Pixels]:
    """The images of an array in batches of BATCH_SIZE."""
    return (x[start : start + BATCH_SIZE] for start in range(0, len(x), BATCH_SIZE))


def central(x: Pixels, input_shape: Sequence[int | None]) -> Pixels:
    """The middle of images (N, H, W, C) that are larger than the input of a network."""
    if x.ndim != 4 or len(input_shape) != 3:
        return x
    high, wide = (own if side is None else min(side, own) for side, own in zip(input_shape, x.shape[1:3], strict=False))
    top, left = (x.shape[1] - high) // 2, (x.shape[2] - wide) // 2
    return x[:, top : top + high, left : left + wide]
