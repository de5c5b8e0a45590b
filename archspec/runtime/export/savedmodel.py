"""SavedModel, the format of TensorFlow and TensorFlow Serving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.declare import declared
from archspec.runtime.export.export_format import ENCODED, ExportFormat, Signature, WriteOptions
from archspec.runtime.export.pixel_function import input_specs

if TYPE_CHECKING:
    from archspec.runtime.export.network import ExportedNetwork


@declared
class SavedModel(ExportFormat):
    """A numbered folder that TensorFlow and TensorFlow Serving load without archspec.

    Its signatures are:

      serving_default  float images, preprocessed, or other inputs by their
                       names -> probabilities, or each output by its name
      serve_images     JPEG, PNG, BMP or WebP bytes -> class names with
                       probabilities; preprocessing included
      features         the inputs of serving_default -> the outputs of the
                       layers in --outputs
    """

    name = "savedmodel"
    file = "saved_model.pb"
    precisions = ("float32", "float16", "bfloat16")
    unloadable = "*?[\\"
    runner = Path(__file__).parent / "runners" / "savedmodel.py"

    def write(self, network: ExportedNetwork, folder: Path, options: WriteOptions) -> Mapping[str, Signature]:
        """Write the signatures

        serving_default: float32 (B, *input) as the `.keras` model takes it, each input by its name ->
            {"probabilities": (B, classes)}, or {"logits": ...} where a classifier does not end in softmax, or the
            values of each output by its name.
        serve_images: encoded JPEG, PNG, BMP or WebP bytes, strings (B,) -> {"classes": names (B, classes),
            "probabilities": float32 (B, classes)}, the most likely class first. It decodes, resizes, crops and
            preprocesses as evaluation does, and refuses what `image_bounds` says. A network without ranked classes
            returns its outputs by their names. Only for networks whose only input is an image of a fixed size.
        features: as serving_default, with the outputs of chosen layers by their paths.

        The class names, if any, are in assets/classes.txt, one per line; line separators in a name are escaped.
        """
        import keras
        import tensorflow as tf

        from archspec.runtime.export.variants import at_precision
        from archspec.runtime.export.warm_up import write_warm_up
        from archspec.runtime.models.fast.grouped_conv import speed_up_grouped_convolutions
        from archspec.runtime.system.tensorflow_import import warnings_hidden

        if options.precision != "float32":
            network = at_precision(network, options.precision)
        speed_up_grouped_convolutions(network.whole, always=True)  # the server may have no GPU
        content, shapes = network.content(takes_pixels=False), network.output_shapes
        own = {name: shape for name, shape in shapes.items() if network.several_outputs or name == network.output}
        functions = {"serving_default": _floats_function(tf, network, list(own))}
        signatures = {"serving_default": Signature(content, own)}
        if network.without_images is None:
            classes = (len(network.class_names),)
            functions["serve_images"] = _serve_images(tf, network)
            ranked = {"classes": classes, "probabilities": classes}
            signatures["serve_images"] = Signature(ENCODED, ranked if network.ranks_classes else own)
        if network.features is not None and not network.several_outputs:
            functions["features"] = _floats_function(tf, network, network.feature_names)
            signatures["features"] = Signature(content, {name: shapes[name] for name in network.feature_names})
        archive = keras.export.ExportArchive()
        for name, function in functions.items():
            function.get_concrete_function()
            archive.add_endpoint(name, function)
        try:
            with warnings_hidden():
                archive.write_out(str(folder), verbose=False)
        except tf.errors.OpError as error:
            raise OSError(str(error.message).splitlines()[0]) from error
        (folder / "assets").mkdir(exist_ok=True)
        if options.warm_up:
            write_warm_up(network, signatures, folder)
        names = "".join(f"{name}\n" for name in network.class_lines)
        if names:
            (folder / "assets" / "classes.txt").write_text(names, encoding="utf-8")
        return signatures

    def notes(self, network: ExportedNetwork, signatures: Mapping[str, Signature]) -> tuple[str, ...]:
        """Why there is no `serve_images`."""
        found = super().notes(network, signatures)
        return (*found, f"without serve_images: {network.without_images}") if network.without_images else found

    def usage(self, folder: Path, signatures: Mapping[str, Signature]) -> str:
        """How to load the export, in one line."""
        name = "serve_images" if "serve_images" in signatures else "serving_default"
        return f'in Python: tf.saved_model.load("{folder}").signatures["{name}"]'


def _floats_function(tf: Any, network: ExportedNetwork, outputs: Sequence[str]) -> Any:
    """The function from float32 inputs to these outputs, by their names."""

    @tf.function(autograph=False, input_signature=input_specs(tf, network))  # type: ignore[untyped-decorator]
    def floats(*inputs: Any) -> Any:
        given = inputs[0] if len(inputs) == 1 else list(inputs)
        if list(outputs) == [network.output]:
            return {network.output: network.main_value(given)}
        found = network.values(given)
        return {name: found[name] for name in outputs}

    return floats


def _serve_images(tf: Any, network: ExportedNetwork) -> Any:
    from archspec.runtime.data.pipeline.preprocess import check_preprocess

    input_shape, names = network.input_shape, network.class_names
    check_preprocess(input_shape, network.metadata.preprocess)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None,), tf.string, name="images")])  # type: ignore[untyped-decorator]
    def serve_images(images: Any) -> Any:
        x = tf.map_fn(
            lambda contents: _prepare(tf, network, contents),
            images,
            fn_output_signature=tf.TensorSpec(input_shape, tf.float32),
        )
        if not network.ranks_classes:
            return network.values(x) if network.several_outputs else {network.output: network.main_value(x)}
        scores, kind = network.main_value(x), network.targets[0].kind
        probabilities = kind.activate(tf, scores) if network.ends_in_scores else scores
        if kind.name == "binary":
            probabilities = tf.concat([1 - probabilities, probabilities], axis=-1)
        probabilities, order = tf.math.top_k(probabilities, k=len(names))
        return {"classes": tf.gather(tf.constant(names), order), "probabilities": probabilities}

    return serve_images


def _prepare(tf: Any, network: ExportedNetwork, contents: Any) -> Any:
    """Encoded bytes () -> the input of the network (H, W, C), as in evaluation."""
    from archspec.runtime.data.files.decode import decode
    from archspec.runtime.data.pipeline.preprocess import preprocess_image
    from archspec.runtime.export.image_bounds import bounded_image

    pixels = decode(tf, bounded_image(tf, contents), int(network.input_shape[-1] or 3))
    return preprocess_image(tf, pixels, network.input_shape, network.preprocess, network.metadata.resize)
