"""SavedModel, the format of TensorFlow and TensorFlow Serving."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.declare import declared
from archspec.runtime.export.export_format import ENCODED, PREPROCESSED, ExportFormat, Signature, WriteOptions

if TYPE_CHECKING:
    from archspec.runtime.export.network import ExportedNetwork


@declared
class SavedModel(ExportFormat):
    """A numbered folder that TensorFlow and TensorFlow Serving load without archspec.

    Its signatures are
      serving_default  float images, preprocessed -> probabilities, or the values of each output by its name
      serve_images     JPEG, PNG, BMP or WebP bytes -> class names with probabilities; preprocessing included
      features         float images, preprocessed -> the outputs of the layers in --outputs
    """

    name = "savedmodel"
    file = "saved_model.pb"
    precisions = ("float32", "float16", "bfloat16")
    runner = Path(__file__).parent / "runners" / "savedmodel.py"

    def write(self, network: ExportedNetwork, folder: Path, options: WriteOptions) -> Mapping[str, Signature]:
        """Write the signatures

        serving_default: float32 (B, *input) as the `.keras` model takes it -> {"probabilities": (B, classes)}, or
            {"logits": ...} where the network does not end in softmax.
        serve_images: encoded JPEG, PNG, BMP or WebP bytes, strings (B,) -> {"classes": names (B, classes),
            "probabilities": float32 (B, classes)}, the most likely class first. It decodes, resizes, crops and
            preprocesses as evaluation does, and refuses what `image_bounds` says. Only for networks that take images
            of a fixed size.
        features: as serving_default, with the outputs of chosen layers by their paths.

        The class names are in assets/classes.txt, one per line.
        """
        import keras
        import tensorflow as tf

        from archspec.runtime.export.variants import at_precision
        from archspec.runtime.export.warm_up import write_warm_up
        from archspec.runtime.models.fast_grouped_conv import speed_up_grouped_convolutions
        from archspec.runtime.system.tensorflow_import import warnings_hidden

        if options.precision != "float32":
            network = at_precision(network, options.precision)
        speed_up_grouped_convolutions(network.model, always=True)  # the server may have no GPU
        several = len(network.targets) > 1
        own = {network.output: tuple(network.model.output_shape[1:])}
        own = dict(self.main_signature(network).outputs) if several else own
        functions = {"serving_default": _serve_floats(tf, network)}
        signatures = {"serving_default": Signature(PREPROCESSED, own)}
        if network.is_of_images and None not in network.input_shape:
            classes = (len(network.class_names),)
            functions["serve_images"] = _serve_images(tf, network)
            ranked = {"classes": classes, "probabilities": classes}
            signatures["serve_images"] = Signature(ENCODED, own if _named(network) else ranked)
        if network.features is not None and not several:
            functions["features"] = _features(tf, network)
            shapes = [tuple(each.shape[1:]) for each in network.features.outputs]
            outputs = dict(zip(network.feature_names, shapes, strict=True))
            signatures["features"] = Signature(PREPROCESSED, outputs)
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
        names = "".join(f"{name}\n" for name in network.class_names)
        (folder / "assets" / "classes.txt").write_text(names, encoding="utf-8")
        return signatures

    def usage(self, folder: Path, signatures: Mapping[str, Signature]) -> str:
        """How to load the export, in one line."""
        name = "serve_images" if "serve_images" in signatures else "serving_default"
        return f'in Python: tf.saved_model.load("{folder}").signatures["{name}"]'


def _floats(tf: Any, network: ExportedNetwork) -> Any:
    return [tf.TensorSpec((None, *network.input_shape), tf.float32, name="images")]


def _serve_floats(tf: Any, network: ExportedNetwork) -> Any:
    output, model = network.output, network.model

    @tf.function(autograph=False, input_signature=_floats(tf, network))  # type: ignore[untyped-decorator]
    def serving_default(images: Any) -> Any:
        found = {output: tf.cast(model(images, training=False), tf.float32)}
        return found | (network.feature_values(images) if len(network.targets) > 1 else {})

    return serving_default


def _features(tf: Any, network: ExportedNetwork) -> Any:
    @tf.function(autograph=False, input_signature=_floats(tf, network))  # type: ignore[untyped-decorator]
    def features(images: Any) -> Any:
        return network.feature_values(images)

    return features


def _named(network: ExportedNetwork) -> bool:
    """Whether `serve_images` returns the outputs by their names, instead of ranked classes with probabilities."""
    return len(network.targets) > 1 or not network.target.kind.shares


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
        scores = tf.cast(network.model(x, training=False), tf.float32)
        if _named(network):
            return {network.output: scores, **network.feature_values(x)}
        kind = network.target.kind
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
