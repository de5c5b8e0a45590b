"""The function that ONNX and LiteRT contain: pixels or values -> all outputs by name, as a temporary SavedModel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import fail
from archspec.runtime.export.child_process import ChildFailedError, run_program

if TYPE_CHECKING:
    from archspec.runtime.export.network import ExportedNetwork

CONVERTERS = Path(__file__).parent / "converters"


@contextmanager
def pixel_function(network: ExportedNetwork) -> Iterator[Path]:
    """Yields the folder of a SavedModel with the function `serving_default`; it is removed at the end.

    float32 (B, *input), of images 0 to 255 after resize and crop -> the main output, other outputs and the features by
    name, float32. The preprocessing of images is inside. Several inputs have their names. Grouped convolutions are
    computed group by group: tf2onnx would write an invalid file.
    """
    import keras
    import tensorflow as tf

    from archspec.runtime.data.pipeline.preprocess import check_preprocess, preprocess_values
    from archspec.runtime.models.fast.grouped_conv import speed_up_grouped_convolutions
    from archspec.runtime.system.tensorflow_import import warnings_hidden

    check_preprocess(network.input_shape, network.preprocess)
    speed_up_grouped_convolutions(network.whole, always=True)

    @tf.function(autograph=False, input_signature=input_specs(tf, network))  # type: ignore[untyped-decorator]
    def serving_default(*inputs: Any) -> Any:
        if len(inputs) > 1:
            return network.values(list(inputs))
        return network.values(preprocess_values(tf, inputs[0], network.input_shape, network.preprocess))

    archive = keras.export.ExportArchive()
    archive.add_endpoint("serving_default", serving_default)
    with TemporaryDirectory() as folder:
        with warnings_hidden():
            archive.write_out(folder, verbose=False)
        yield Path(folder)


def input_specs(tf: Any, network: ExportedNetwork) -> list[Any]:
    """A tf.TensorSpec for each input, which names it in the signature."""
    return [tf.TensorSpec((None, *shape), tf.float32, name=name) for name, shape in network.input_shapes.items()]


def convert(program: str, format: str, request: dict[str, Any]) -> dict[str, Any]:
    """Run a program of `converters`: its result.

    Raises:
        ArchspecError: `not-exportable`, with what the converter says.
    """
    try:
        result: dict[str, Any] = run_program(CONVERTERS / program, request)
    except ChildFailedError as error:
        raise fail(
            "not-exportable",
            f"the network cannot be converted to {format}",
            notes=[f"the converter says: {error}"],
            help="choose another `--format`; savedmodel and keras take every network",
        ) from error
    return result
