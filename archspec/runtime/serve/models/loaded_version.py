"""One version of an export, loaded: its functions, and the preparation of image files for them."""

from __future__ import annotations

import runpy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail, listed
from archspec.runtime.data.files.encoded_image import MOST_PIXELS
from archspec.runtime.export import EXPORT_FORMATS
from archspec.runtime.export.network import together
from archspec.runtime.export.version_folder import read_description
from archspec.runtime.serve.models.answer_outputs import AnswerOutputs
from archspec.runtime.serve.models.saved_model_session import MAIN, Function, load_session
from archspec.runtime.serve.models.tensor_spec import (
    ENCODED,
    SERVE_IMAGES,
    Outputs,
    ServedSignature,
    TensorSpec,
    read_signatures,
)
from archspec.runtime.serve.request_error import INVALID_ARGUMENT, RequestError
from archspec.runtime.system.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    from archspec.runtime.export.export_format import ExportFormat
    from archspec.runtime.serve.models.image_input import ImageInput

Array = npt.NDArray[Any]
MOST_SMALL = 4
"""Small images that are decoded at once."""
FREE_SIDE = 64
"""Side of the image for a first call of a network that takes any size."""


@dataclass(frozen=True, eq=False)
class LoadedVersion:
    """A version that can be called.

    Attributes:
        number: of the version.
        signatures: the functions of the export; and `serve_images`, for image files, of every network of images.
        functions: name -> array (B, ...) -> named outputs; of several inputs an array (B,) with a field for each. That
            of `serve_images` takes what `prepare` returns, and returns what `serving_default` does. Only one thread
            may call them.
        answer_outputs: from the outputs of `serving_default` to those of `serve_images`.
        image_input: from an image file to the input of `serving_default`; None where the network takes no images.
        class_names: of the outputs.
        description: the content of export.json.
        model_file: a `.keras` file of the same network, which can be explained; None where there is none.
    """

    number: int
    signatures: Mapping[str, ServedSignature]
    functions: Mapping[str, Function]
    answer_outputs: AnswerOutputs
    image_input: ImageInput | None
    class_names: tuple[str, ...]
    description: Mapping[str, Any]
    model_file: Path | None

    def run(self, name: str, values: Array) -> Outputs:
        """Call a function with (B, ...). `serve_images` takes what `prepare` returns."""
        outputs = self.functions[name](values)
        return self.answer_outputs(outputs) if name == SERVE_IMAGES else outputs

    def are_small(self, images: Sequence[bytes]) -> bool:
        """Whether `prepare` takes next to no time."""
        return (
            len(images) <= MOST_SMALL and self.image_input is not None and all(map(self.image_input.is_small, images))
        )

    def prepare(self, images: Sequence[bytes], file_names: Sequence[str] = ()) -> Array:
        """Image files -> float32 (B, H, W, C) after resize and crop. Raises RequestError (400)."""
        assert self.image_input is not None
        found = []
        for row, contents in enumerate(images):
            try:
                found.append(self.image_input(contents))
            except RequestError as error:
                place = file_names[row] if file_names else f"instance {row}"
                raise RequestError(error.status, f"{place}: {error.message}", error.headers) from None
        if len({each.shape for each in found}) > 1:
            raise RequestError(INVALID_ARGUMENT, "the images have different sizes; send them one by one")
        return np.stack(found) if len(found) > 1 else found[0][None]

    def image_pixels(self, contents: bytes) -> npt.NDArray[np.uint8]:
        """The pixels of an image file (H, W, C). Raises RequestError (400)."""
        assert self.image_input is not None
        return self.image_input.pixels(contents)

    @property
    def can_explain(self) -> bool:
        """Whether Grad-CAM can run: for a classifier of images whose Keras model is known."""
        of_classes = self.answer_outputs.kind == "classes"
        return self.model_file is not None and self.image_input is not None and of_classes

    def summary(self) -> dict[str, Any]:
        """For people: what the model takes, and its classes."""
        return {
            "format": self.description["format"],
            "precision": self.description["precision"],
            "network": _network_name(self.description),
            "takes_images": self.image_input is not None,
            "inputs": list(self.signatures[MAIN].inputs),
            "outputs": list(self.signatures[MAIN].outputs),
            "can_explain": self.can_explain,
            "classes": list(self.class_names),
            "signatures": {name: each.expects() for name, each in self.signatures.items()},
        }

    def warm_up(self, batches: Sequence[int]) -> None:
        """Call every function once with each batch size, so that no client waits for that."""
        for name, function in self.functions.items():
            taken = self.signatures[MAIN if name == SERVE_IMAGES else name].inputs
            for batch in batches:
                function(together({key: _zeros(batch, spec) for key, spec in taken.items()}))


def _network_name(description: Mapping[str, Any]) -> str:
    """`vgg:D`, or the name of the model file. Raises KeyError for a description that archspec did not write."""
    name, reference = str(description["name"]), description["reference"]
    return (name if reference is None else str(reference)).replace("\\", "/").rpartition("/")[2]


def _zeros(batch: int, spec: TensorSpec) -> npt.NDArray[np.float32]:
    return np.zeros((batch, *(FREE_SIDE if side is None else side for side in spec.shape[1:])), np.float32)


def _functions(
    folder: Path, format: type[ExportFormat], threads: int, image_input: ImageInput | None
) -> dict[str, Function]:
    """The functions of a version, as LoadedVersion describes them."""
    if format.name == "savedmodel":
        return load_session(folder, threads, image_input)
    found: dict[str, Function] = runpy.run_path(str(format.runner))["load"](str(folder), threads)
    if image_input is not None:
        found[SERVE_IMAGES] = _after(image_input, found[MAIN])
    return found


def _after(image_input: ImageInput, main: Function) -> Function:
    """The function of a network, with preprocessing before it where that is not in the network."""
    return main if not image_input.transforms else lambda views: main(image_input.preprocessed(views))


def load_version(
    folder: Path, *, threads: int = 0, most_pixels: int = MOST_PIXELS, model_file: Path | None = None
) -> LoadedVersion:
    """Load the export in a version folder.

    Args:
        threads: of the library that runs the model; 0 for its default.
        most_pixels: of an image.
        model_file: what it was exported from, where that is known; an export of the format keras contains it.

    Raises:
        ArchspecError: `not-served` for a folder that is no export of archspec, or cannot be loaded; `missing-package`.
    """
    description = read_description(folder)
    if description is None:
        raise fail("not-served", f"`{folder}` has no export.json that can be read, so it is no export of archspec")
    try:
        signatures = read_signatures(description)
        main, names = signatures[MAIN], tuple(map(str, description["class_names"]))
        format = EXPORT_FORMATS.get(description["format"])
        file = folder / str(description["file"]) if description["format"] == "keras" else model_file
        of_images = description["preprocessing"]["crop"] is not None
        answer_outputs = AnswerOutputs.of(main.outputs, names, description.get("targets"))
        _network_name(description), str(description["precision"])  # for `summary`, which must not fail
    except (KeyError, TypeError, ValueError) as error:
        fact = f"the export.json of `{folder}` lacks what archspec writes: {type(error).__name__} {error}"
        raise fail("not-served", fact, help="export the model again") from error
    if format is None:
        raise fail(
            "not-served",
            f"`{folder}` has the format {description['format']}",
            help=f"formats: {listed(EXPORT_FORMATS)}",
        )
    try:
        if of_images or not format.takes_pixels:
            import_tensorflow()
        image_input = None
        if of_images:
            from archspec.runtime.serve.models.image_input import ImageInput

            (spec,) = main.inputs.values()
            image_input = ImageInput(
                spec.shape[1:], description, takes_pixels=main.content == "pixels", most_pixels=most_pixels
            )
        functions = _functions(folder, format, threads, image_input)
    except ImportError as error:
        help = f"`pip install 'archspec-keras[{format.extra}]'`" if format.extra else None
        raise fail(
            "missing-package", f"`{folder}` needs {error.name or error}, which is not installed", help=help
        ) from error
    except Exception as error:  # whatever a library raises for damaged files
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise fail(
            "not-served", f"`{folder}` cannot be loaded: {said[0][:300]}", help="export the model again"
        ) from error
    if of_images:
        encoded = ServedSignature(
            SERVE_IMAGES, dict.fromkeys(main.inputs, TensorSpec("string", (None,))), ENCODED, answer_outputs.specs
        )
        signatures = {
            MAIN: main,
            SERVE_IMAGES: encoded,
            **{k: v for k, v in signatures.items() if k not in (MAIN, SERVE_IMAGES)},
        }
    kept = {name: function for name, function in functions.items() if name in signatures}
    return LoadedVersion(int(folder.name), signatures, kept, answer_outputs, image_input, names, description, file)
