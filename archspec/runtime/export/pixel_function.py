"""The function that ONNX and LiteRT contain: pixels -> the main output and the features, as a temporary SavedModel."""

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
    """Yields the folder of a SavedModel whose `serving_default` takes pixels; it is removed at the end.

    float32 (B, *input), 0 to 255 after resize and crop -> the main output and the features by name, float32. The
    preprocessing is inside. Grouped convolutions are computed group by group: tf2onnx would write an invalid file.
    """
    import keras
    import tensorflow as tf

    from archspec.runtime.data.pipeline.preprocess import check_preprocess, preprocess_values
    from archspec.runtime.models.fast_grouped_conv import speed_up_grouped_convolutions
    from archspec.runtime.system.tensorflow_import import warnings_hidden

    check_preprocess(network.input_shape, network.preprocess)
    speed_up_grouped_convolutions(network.model, always=True)
    signature = [tf.TensorSpec((None, *network.input_shape), tf.float32, name="images")]

    @tf.function(autograph=False, input_signature=signature)  # type: ignore[untyped-decorator]
    def serving_default(images: Any) -> Any:
        x = preprocess_values(tf, images, network.input_shape, network.preprocess)
        return {network.output: network.main_value(x), **network.feature_values(x)}

    archive = keras.export.ExportArchive()
    archive.add_endpoint("serving_default", serving_default)
    with TemporaryDirectory() as folder:
        with warnings_hidden():
            archive.write_out(folder, verbose=False)
        yield Path(folder)


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
