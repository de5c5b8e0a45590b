"""A SavedModel in a session, as TensorFlow Serving calls it: all operations run on the calling thread.

A call of a signature in Python hands the graph to a thread of TensorFlow and waits; for a small network that takes
longer than the network itself. Preprocessing is a part of the same graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.runtime.serve.models.tensor_spec import SERVE_IMAGES, Outputs
from archspec.runtime.system.tensorflow_import import warnings_hidden

if TYPE_CHECKING:
    from archspec.runtime.serve.models.image_input import ImageInput

MAIN = "serving_default"
Function = Callable[[Any], Outputs]


def load_session(folder: Path, threads: int, image_input: ImageInput | None) -> dict[str, Function]:
    """Functions from an array (B, ...) to named outputs: the signatures, and MAIN after preprocessing as SERVE_IMAGES.

    A function of several inputs takes an array (B,) with a field for each.

    Args:
        folder: the version folder, which contains `saved_model.pb`.
        threads: of an operation, if TensorFlow has not started yet; 0 for its default.
        image_input: of the network; None where it takes no images.
    """
    import tensorflow as tf

    v1 = tf.compat.v1
    config = v1.ConfigProto(
        intra_op_parallelism_threads=threads, inter_op_parallelism_threads=-1, allow_soft_placement=True
    )
    signatures = _signatures(folder)
    main, mapped, fed = signatures[MAIN], {}, {}
    with tf.Graph().as_default() as graph, warnings_hidden():
        session = v1.Session(graph=graph, config=config)
        if image_input is not None:
            ((name, given),) = main.inputs.items()
            x, is_ready = v1.placeholder(tf.float32, (None, *image_input.shape)), v1.placeholder(tf.bool, ())
            mapped = {given.name: tf.cond(is_ready, lambda: x, lambda: image_input.preprocess(x))}
            fed = {name: x}
        v1.saved_model.load(session, ["serve"], str(folder), input_map=mapped)

    def function(signature: Any, fed: Mapping[str, Any], *more: tuple[Any, bool]) -> Function:
        names, given = sorted(signature.outputs), [value for _, value in more]
        call = session.make_callable(
            [signature.outputs[name].name for name in names], [*fed.values(), *(each for each, _ in more)]
        )

        def outputs(values: Any) -> Outputs:
            inputs = [values[name] for name in fed] if values.dtype.names else [values]
            return dict(zip(names, call(*inputs, *given), strict=True))

        return outputs

    found = {
        name: function(each, {key: value.name for key, value in each.inputs.items()})
        for name, each in signatures.items()
        if name != SERVE_IMAGES
    }
    if image_input is not None:
        found[MAIN] = function(main, fed, (is_ready, True))
        found[SERVE_IMAGES] = function(main, fed, (is_ready, False))
    return found


def _signatures(folder: Path) -> dict[str, Any]:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    file = SavedModel()
    file.ParseFromString((folder / "saved_model.pb").read_bytes())
    (found,) = [each for each in file.meta_graphs if "serve" in each.meta_info_def.tags]
    return {name: each for name, each in found.signature_def.items() if each.method_name}
