"""What a lab works with: its folder, seeds, images and options, training, and a store of finished parts."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, fail
from archspec.runtime.labs.lab import LabImages
from archspec.runtime.labs.lab_data import Split, arrays, write_arrays
from archspec.runtime.labs.network_outputs import NetworkOutputs
from archspec.runtime.labs.progress import LabProgress
from archspec.runtime.system.atomic_write import atomic, discard, write_json
from archspec.runtime.training.run_request import Trainable

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
        after_epoch: Callable[[Path, int], None] | None = None,
        **settings: Any,
    ) -> Path:
        """Train a network into runs/NAME-seedN, or resume or reuse that run. Returns the run directory.

        Args:
            reference: as for `archspec.load`.
            data: by default that of the lab.
            recipe, init_from, init_map: as for `archspec.train`.
            after_epoch: called with the run directory and the number of each epoch that ends, from 1; last.keras then
                has its network. Not called for the epochs of an earlier process.
            settings: as for `archspec.train`: `classes=10`, `epochs=3`, `**{"train.batch_size": 64}`.

        Raises:
            ArchspecError: those of `archspec.train`; `diverged` for a NaN or infinite loss.
            KeyboardInterrupt: after Ctrl-C, when the run is safe on the disk; SystemExit after another signal.
        """
        from archspec.runtime.training.train import train

        path = self.run_directory(name, seed)
        network = self._configured(reference, recipe, settings)
        start = time.monotonic()
        with self.progress.after_each_epoch(None if after_epoch is None else partial(after_epoch, path)):
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
        if not result.interrupted and time.monotonic() - start > 0.5:
            self._add_time(f"runs/{path.name}", result.seconds)
        number = result.signal or result.late_signal
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        if number is not None:
            raise SystemExit(128 + number)  # as in a shell
        return path

    def train_and_look(
        self,
        reference: str,
        *,
        name: str,
        seed: int,
        epochs: int,
        look: Callable[[Any], Mapping[str, Any]],
        **settings: Any,
    ) -> list[Arrays]:
        """Train as `train`, and look into the network before the first epoch and after each.

        Args:
            look: from the keras.Model, whose inputs are preprocessed, to arrays.

        Returns:
            The arrays of each look: (epochs + 1) of them.
        """
        from archspec.runtime.system.tensorflow_import import import_tensorflow
        from archspec.runtime.weights import load_weights
        from archspec.runtime.weights.initial_weights import initialize

        network, path = self._configured(reference, None, settings), self.run_directory(name, seed)
        graph, names = network.graph(), [f"{path.name}-epoch{epoch}" for epoch in range(epochs + 1)]
        import_tensorflow().keras.utils.set_random_seed(seed)
        model = network.build()
        initialize(model, graph, network.recipe.init)
        self.finished(names[0], lambda: look(model))

        def after_epoch(run: Path, epoch: int) -> None:
            load_weights(model, run / "last.keras", graph=graph)
            self.finished(names[epoch], lambda: look(model))

        given: dict[str, Any] = {"name": name, "seed": seed, "epochs": epochs, **settings}
        self.train(reference, after_epoch=after_epoch, **given)
        if not all((self.parts / f"{each}.npz").is_file() for each in names):  # killed between an epoch and its look
            discard(path)
            self.train(reference, after_epoch=after_epoch, **given)
        return [self.finished(each, dict) for each in names]

    def run_directory(self, name: str, seed: int) -> Path:
        """Where `train` writes a run."""
        return self.out / "runs" / f"{name}-seed{seed}"

    def _configured(self, reference: str, recipe: str | None, settings: Mapping[str, Any]) -> Trainable:
        """A network with its settings, those of the recipe by their last name too: `epochs`."""
        from archspec.lang.spec.overrides import recipe_setting

        params = getattr(self.load(reference, recipe=recipe), "params", {})
        full = {
            word if word in params or "." in word or word == "input" else recipe_setting(word) or word: value
            for word, value in settings.items()
        }
        return self.load(reference, recipe=recipe, **full)

    def arrays(self, split: str) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
        """The images, uint8 (N, H, W, C), and labels of "train" or "validation"."""
        return arrays(self.data, split, self.note)

    def dataset(
        self, name: str, make: Callable[[], tuple[Split, Split]], class_names: tuple[str, ...] | None = None
    ) -> str:
        """A data source of the lab's own: data/NAME.npz, written once from the training and test images of `make`."""
        path = self.out / "data" / f"{name}.npz"
        if not path.is_file():
            write_arrays(path, *make(), class_names)
        return str(path)

    def predict(self, run: Path, x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Softmax outputs of RUN/last.keras for images of 0 to 255, (N, H, W, C) -> (N, classes)."""
        return NetworkOutputs(run / "last.keras").posteriors([x])

    def classes(self, run: Path, x: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """The most probable class of each of the test images (N, H, W, C) by RUN/last.keras, kept as a part."""
        part = self.finished(f"{run.name}-classes", lambda: {"classes": self.predict(run, x).argmax(axis=1)})
        return part["classes"]


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
