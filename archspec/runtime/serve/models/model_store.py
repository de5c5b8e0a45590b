"""The models that are served: which versions, and the thread that loads new ones and drops old ones."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from archspec.diagnostics import ArchspecError
from archspec.runtime.export.version_folder import DESCRIPTION
from archspec.runtime.serve.models.loaded_version import LoadedVersion
from archspec.runtime.serve.models.model_source import ModelSource, exports
from archspec.runtime.serve.request_error import NOT_FOUND, RequestError

Stamp = tuple[int, int, int]
"""Of an export.json: it changes when a version is replaced."""
POLL_SECONDS = 1.0
RETRY_SECONDS = 10.0
"""A version that cannot be loaded may still be copied: it is tried again."""
FAILED = "the version cannot be loaded; the log of the server says why"


@dataclass
class ServedModel:
    """The loaded versions of one model."""

    loaded: dict[int, LoadedVersion] = field(default_factory=dict)
    stamps: dict[int, Stamp] = field(default_factory=dict)
    failed: dict[int, Stamp] = field(default_factory=dict)

    def states(self) -> dict[int, tuple[str, str]]:
        """State of each version, and why it failed."""
        found = dict.fromkeys(self.failed, ("END", FAILED))
        return found | dict.fromkeys(self.loaded, ("AVAILABLE", ""))


class ModelStore:
    """The models of a source.

    Args:
        load: loads the version in a folder, ready for requests. Called by the thread that polls.
        keep: how many of the newest versions of each model are served.
        labels: label -> number of the version that it stands for, in every model; it is served however old it is.
        report: receives a line for each version that is loaded, dropped or cannot be loaded.
    """

    def __init__(
        self,
        source: ModelSource,
        load: Callable[[Path], LoadedVersion],
        *,
        keep: int = 1,
        labels: Mapping[str, int] | None = None,
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._source, self._load, self._keep, self._report = source, load, keep, report
        self._labels = dict(labels or {})
        self._models: dict[str, ServedModel] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="archspec-versions", daemon=True)
        self._polls = 0

    # ---- for requests ----

    @property
    def models(self) -> Mapping[str, ServedModel]:
        """The models by name. The mapping is replaced, never changed."""
        return self._models

    def model(self, name: str) -> ServedModel:
        """Raises RequestError (404)."""
        found = self._models.get(name)
        if found is None:
            known = ", ".join(f"`{each}`" for each in list(self._models)[:20]) or "none"
            raise RequestError(
                NOT_FOUND, f"Servable not found for request: Latest({name[:200]}); the models are: {known}"
            )
        return found

    def version(self, name: str, number: int | None = None, label: str | None = None) -> LoadedVersion:
        """The newest version, or that of a number or label. Raises RequestError (404)."""
        loaded = self.model(name).loaded
        if label is not None:
            if label not in self._labels:
                known = ", ".join(f"`{each}`" for each in self._labels) or "none; `archspec serve --label` defines them"
                raise RequestError(
                    NOT_FOUND, f"Unrecognized servable version label: {label[:200]}; the labels are: {known}"
                )
            number = self._labels[label]
        if number is None:
            if not loaded:
                raise RequestError(NOT_FOUND, f"Servable not found for request: Latest({name}); no version is loaded")
            return loaded[max(loaded)]
        if number not in loaded:
            served = ", ".join(map(str, sorted(loaded))) or "none"
            raise RequestError(
                NOT_FOUND,
                f"Servable not found for request: Specific({name}, {number}); versions that are served: {served}",
            )
        return loaded[number]

    @property
    def ready(self) -> bool:
        """Whether every model has a version."""
        models = self._models
        return bool(models) and all(each.loaded for each in models.values())

    # ---- loading ----

    def load_all(self) -> None:
        """Load what is there now. Raises ArchspecError where a model has no version that can be loaded."""
        errors = self._poll()
        if not self.ready and errors:
            raise errors[0]

    def start(self) -> None:
        """Start the thread that looks for new versions."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after the version that it is loading."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self._poll()
            except OSError as error:  # the folder is not there at the moment
                if self._polls % int(RETRY_SECONDS) == 0:
                    self._report(f"cannot look for new versions: {error.strerror}")
            except Exception as error:
                traceback.print_exception(error, file=sys.stderr)

    def _poll(self) -> list[ArchspecError]:
        """Load and drop versions; the errors of those that cannot be loaded."""
        self._polls += 1
        errors: list[ArchspecError] = []
        folders = self._source.folders()
        for name, folder in folders.items():
            errors += self._update(name, folder)
        gone = [name for name in self._models if name not in folders]
        for name in gone:
            self._report(f"{name}: dropped, its folder is gone")
        if gone:
            self._models = {name: model for name, model in self._models.items() if name not in gone}
        return errors

    def _update(self, name: str, folder: Path) -> list[ArchspecError]:
        numbers = exports(folder)
        wanted = {*numbers[-self._keep :], *(each for each in self._labels.values() if each in numbers)}
        before = self._models.get(name) or ServedModel()
        loaded, stamps, failed, errors = dict(before.loaded), dict(before.stamps), {}, []
        retry = self._polls % int(RETRY_SECONDS / POLL_SECONDS) == 0
        for number in sorted(wanted):
            stamp = _stamp(folder / str(number))
            if stamps.get(number) == stamp and number in loaded:
                continue
            if before.failed.get(number) == stamp and not retry:
                failed[number] = stamp
                continue
            try:
                loaded[number], stamps[number] = self._load(folder / str(number)), stamp
                self._report(f"{name}: version {number} is served")
            except ArchspecError as error:
                if before.failed.get(number) != stamp:
                    self._report(f"{name}: version {number} cannot be served: {error.diagnostics[0].message}")
                failed[number] = stamp
                errors.append(error)
        # an older version answers until a wanted one can
        for number in [each for each in loaded if each not in wanted]:
            if any(each in loaded for each in wanted):
                self._report(f"{name}: version {number} is no longer served")
                del loaded[number], stamps[number]
        self._models = {**self._models, name: ServedModel(loaded, stamps, failed)}
        return errors


def _stamp(version: Path) -> Stamp:
    try:
        found = (version / DESCRIPTION).stat()
    except OSError:
        return (0, 0, 0)
    return found.st_ino, found.st_mtime_ns, found.st_size
