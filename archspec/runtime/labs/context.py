"""What a lab works with: its folder, seeds, images and options, training, and a store of finished parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, fail
from archspec.runtime.labs.lab import LabImages
from archspec.runtime.labs.lab_data import arrays
from archspec.runtime.labs.progress import LabProgress
from archspec.runtime.system.atomic_write import atomic, write_json
from archspec.runtime.training.run_request import Trainable

if TYPE_CHECKING:
    from archspec.graph.ir import Graph
    from archspec.runtime.evaluation.inference.predictor import Predictor

Arrays = dict[str, npt.NDArray[Any]]


class Needed(dict[str, Any]):
    """What a lab file gives by name. A missing name is an ArchspecError (`lab`): a copy of a lab may leave it out."""

    def __init__(self, kind: str, given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self.kind = kind

    def __missing__(self, name: str) -> Any:
        help = f"add it under `{self.kind}s` of the lab file"
        raise fail("lab", f"the code of this lab needs the {self.kind} `{name}`", help=help)


@dataclass(frozen=True)
class LabContext:
    """The surroundings of one run of a lab."""

    out: Path
    """The folder of the lab; it exists."""
    scale: str
    """`tiny`, `default` or `full`."""
    seeds: tuple[int, ...]
    """Shared by all arms."""
    options: Mapping[str, Any]
    """Of the code, merged with those of the scale."""
    data: str
    """A data source; empty for a lab without data."""
    images: LabImages
    """How many images; `data` holds only these."""
    networks: Mapping[str, str]
    """The networks of the lab: name -> reference, for `load` and `train`."""
    load: Callable[..., Trainable]
    """As `archspec.load`."""
    progress: LabProgress
    """Of the whole lab."""
    devices: Any = None
    """As for `archspec.train`."""
    _times: dict[str, float] = field(default_factory=dict, repr=False)

    def note(self, text: str) -> None:
        """Show a line of progress."""
        self.progress.line(text)

    @property
    def parts(self) -> Path:
        """The folder of the finished parts."""
        return self.out / "parts"

    def finished(self, name: str, compute: Callable[[], Mapping[str, Any]]) -> Arrays:
        """The arrays of a part: read from parts/NAME.npz if an earlier process has computed them, else computed."""
        path = self.parts / f"{name}.npz"
        if not path.is_file():
            start = time.monotonic()
            made = compute()
            self._add_time(name, time.monotonic() - start)
            converted: dict[str, Any] = {word: np.asarray(value) for word, value in made.items()}
            with atomic(path) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, **converted)
        with np.load(path) as file:
            return {word: file[word] for word in file.files}

    def _add_time(self, name: str, seconds: float) -> None:
        """Remember how long a part took, for the time of a lab that was interrupted."""
        path = self.parts / "seconds.json"
        self.parts.mkdir(parents=True, exist_ok=True)
        self._times.update(read_times(path))
        self._times[name] = seconds
        write_json(path, self._times)

    @property
    def seconds(self) -> float:
        """Computing time of all parts so far."""
        return sum(read_times(self.parts / "seconds.json").values())

    def train(
        self,
        reference: str,
        *,
        name: str,
        seed: int,
        data: str | None = None,
        recipe: str | None = None,
        init_from: str | None = None,
        init_map: tuple[str, ...] = (),
        **settings: Any,
    ) -> Path:
        """Train a network into runs/NAME-seedN, or resume or reuse that run. Returns the run directory.

        Args:
            reference: as for `archspec.load`.
            data: by default that of the lab.
            recipe, init_from, init_map: as for `archspec.train`.
            settings: as for `archspec.train`: `classes=10`, `epochs=3`, `**{"train.batch_size": 64}`.

        Raises:
            ArchspecError: those of `archspec.train`; `diverged` for a NaN or infinite loss.
            KeyboardInterrupt: after Ctrl-C, when the run is safe on the disk.
        """
        from archspec.lang.spec.overrides import recipe_setting
        from archspec.runtime.training.train import train

        path = self.out / "runs" / f"{name}-seed{seed}"
        network = self.load(reference, recipe=recipe)
        params = getattr(network, "params", {})
        full = {
            word if word in params or "." in word or word == "input" else recipe_setting(word) or word: value
            for word, value in settings.items()
        }
        network = self.load(reference, recipe=recipe, **full)
        start = time.monotonic()
        result = train(
            network,
            data or self.data,
            out=path,
            seed=seed,
            devices=self.devices,
            init_from=init_from,
            init_map=init_map,
            progress=self.progress,
            load=self.load,
        )
        if result.interrupted:
            raise KeyboardInterrupt
        if time.monotonic() - start > 0.5:
            self._add_time(f"runs/{path.name}", result.seconds)
        return path

    def arrays(self, split: str) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
        """The images, uint8 (N, H, W, C), and labels of "train" or "validation"."""
        return arrays(self.data, split, self.note)

    def predict(self, run: Path, x: npt.NDArray[Any], *, batch_size: int = 256) -> npt.NDArray[np.float32]:
        """Softmax outputs of RUN/last.keras for images of 0 to 255, (N, H, W, C) -> (N, classes)."""
        return predictions(run / "last.keras", {"x": x}, batch_size)["x"]


def predictions(
    model: Path, images: Mapping[str, npt.NDArray[Any]], batch_size: int = 256
) -> dict[str, npt.NDArray[np.float32]]:
    """Softmax outputs of a model file for several sets of images, with the preprocessing of its spec."""
    from archspec.runtime.evaluation.inference.predictor import Predictor
    from archspec.runtime.system.tensorflow_import import import_tensorflow, warnings_hidden

    predictor = Predictor.open(model, import_tensorflow().distribute.get_strategy())
    predict = predictor.of_crops
    found = {}
    with warnings_hidden():  # of a function that is traced again for each network of a lab
        for name, given in images.items():
            x = central(given, predictor.input_shape)
            batches = (x[start : start + batch_size].astype(np.float32) for start in range(0, len(x), batch_size))
            found[name] = np.concatenate([np.asarray(predict(batch)) for batch in batches])
    return found


def central(x: npt.NDArray[Any], input_shape: Sequence[int | None]) -> npt.NDArray[Any]:
    """The middle of images (N, H, W, C) that are larger than the input of a network."""
    if x.ndim != 4 or len(input_shape) != 3:
        return x
    high, wide = (own if side is None else min(side, own) for side, own in zip(input_shape, x.shape[1:3], strict=False))
    top, left = (x.shape[1] - high) // 2, (x.shape[2] - wide) // 2
    return x[:, top : top + high, left : left + wide]


def thinned_predictions(model: Path, x: npt.NDArray[Any], networks: int) -> npt.NDArray[np.float32]:
    """The mean softmax outputs of networks whose units are dropped at random as in training (Srivastava et al. 2014,
    section 7.5: the Monte Carlo average).
    """
    import keras

    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf = import_tensorflow()
    keras.utils.set_random_seed(0)
    predictor, inputs = _opened(model, x)
    total = np.zeros((len(x), predictor.classes), np.float64)
    for _ in range(networks):
        total += np.asarray(tf.nn.softmax(predictor.logits_model(inputs, training=True)))
    return (total / networks).astype(np.float32)


def deepened_predictions(
    model: Path, x: npt.NDArray[Any], after: Mapping[str, int], graph: Graph
) -> npt.NDArray[np.float32]:
    """Softmax outputs of a network with identity layers after its relus (He et al. 2015, section 1).

    Args:
        after: {pattern of the paths of relus: number of layers after each}.
        graph: of the network.

    Raises:
        ArchspecError: those of `deepen`.
    """
    from archspec.runtime.dense.net2deeper import deepen

    predictor, inputs = _opened(model, x)
    return np.asarray(deepen(predictor.model, after, graph=graph)(inputs, training=False), np.float32)


def _opened(model: Path, x: npt.NDArray[Any]) -> tuple[Predictor, Any]:
    """The network of a model file, and the images with the preprocessing of its spec."""
    from archspec.runtime.data.pipeline.preprocess import preprocess_values
    from archspec.runtime.evaluation.inference.predictor import Predictor
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf = import_tensorflow()
    predictor = Predictor.open(model, tf.distribute.get_strategy())
    x = central(x, predictor.input_shape)
    return predictor, preprocess_values(
        tf, tf.constant(x, tf.float32), predictor.input_shape, predictor.metadata.preprocess
    )


def read_times(path: Path) -> dict[str, float]:
    """The seconds of each part so far."""
    import json

    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def has_diverged(error: ArchspecError) -> bool:
    """Whether training ended with a NaN or infinite loss."""
    return any(each.code == "diverged" for each in error.diagnostics)
