"""SavedModel, the format of TensorFlow and TensorFlow Serving."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archspec.declare import declared
from archspec.runtime.export.export_format import ExportedNetwork, ExportFormat


@declared
class SavedModel(ExportFormat):
    """A folder that TensorFlow loads and serves without archspec.

    Its signatures are
      serving_default  float images, preprocessed -> probabilities
      serve_images     JPEG, PNG, BMP or WebP bytes -> class names with probabilities; preprocessing included
    """

    name = "savedmodel"
    mark = "saved_model.pb"

    def write(self, network: ExportedNetwork, path: Path) -> tuple[str, ...]:
        """Write the signatures

        serving_default: float32 (B, *input) as the `.keras` model takes it -> {"probabilities": (B, classes)}, or
            {"logits": ...} where the network does not end in softmax.
        serve_images: encoded JPEG, PNG, BMP or WebP bytes, strings (B,) -> {"classes": names (B, classes),
            "probabilities": float32 (B, classes)}, the most likely class first. It decodes, resizes, crops and
            preprocesses as evaluation does, and refuses what `image_bounds` says. Only for networks that take images
            of a fixed size.

        The class names are in assets/classes.txt, one per line.
        """
        import keras
        import tensorflow as tf

        from archspec.runtime.models.fast_grouped_conv import speed_up_grouped_convolutions
        from archspec.runtime.system.tensorflow_import import warnings_hidden

        speed_up_grouped_convolutions(network.model, always=True)  # the server may have no GPU
        functions = {"serving_default": _serve_floats(tf, network.model)}
        shape = network.model.input_shape[1:]
        if len(shape) == 3 and shape[-1] in (1, 3) and None not in shape:
            functions["serve_images"] = _serve_images(tf, network)
        archive = keras.export.ExportArchive()
        archive.track(network.model)
        for name, function in functions.items():
            function.get_concrete_function()
            archive.add_endpoint(name, function)
        try:
            with warnings_hidden():
                archive.write_out(str(path), verbose=False)
        except tf.errors.OpError as error:
            raise OSError(str(error.message).splitlines()[0]) from error
        (path / "assets").mkdir(exist_ok=True)
        names = "".join(f"{name}\n" for name in network.class_names)
        (path / "assets" / "classes.txt").write_text(names, encoding="utf-8")
        return tuple(functions)

    def differences(self, network: ExportedNetwork, path: Path) -> Iterator[float]:
        """Compare the signatures with the network on noise, one and three images at a time."""
        import numpy as np
        import tensorflow as tf

        signatures = tf.saved_model.load(str(path)).signatures
        generator = np.random.default_rng(0)
        input_shape = tuple(network.model.input_shape[1:])
        for images in (1, 3):
            x = generator.uniform(size=(images, *(side or 64 for side in input_shape))).astype(np.float32)
            (given,) = signatures["serving_default"](images=tf.constant(x)).values()
            yield float(np.abs(given.numpy() - network.model(x, training=False).numpy()).max())
        if "serve_images" in signatures:
            height, width, channels = input_shape
            sides = ((height, width), (height + 5, 2 * width + 3), (2 * height + 1, width + 2))
            noise = [generator.integers(0, 256, (*side, channels), dtype=np.uint8) for side in sides]
            encoded = [tf.io.encode_png(noise[0]), tf.io.encode_jpeg(noise[1]), tf.io.encode_png(noise[2])]
            x = tf.stack([_prepare(tf, network, each) for each in encoded])
            expected = network.probabilities(x, training=False).numpy()
            given = signatures["serve_images"](images=tf.stack(encoded))
            rows = zip(expected, given["classes"].numpy(), given["probabilities"].numpy(), strict=True)
            for row, classes, probabilities in rows:
                by_name = {each.decode(): p for each, p in zip(classes, probabilities, strict=True)}
                yield float(np.abs(row - [by_name[name] for name in network.class_names]).max())

    def usage(self, path: Path, signatures: tuple[str, ...]) -> str:
        """How to load the export, in one line."""
        return f'in Python: tf.saved_model.load("{path}").signatures["{signatures[-1]}"]'


def _serve_floats(tf: Any, model: Any) -> Any:
    from archspec.runtime.models.classifier import logits_of

    output = "logits" if logits_of(model) is model else "probabilities"
    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="images")]

    @tf.function(autograph=False, input_signature=signature)  # type: ignore[untyped-decorator]
    def serving_default(images: Any) -> Any:
        return {output: tf.cast(model(images, training=False), tf.float32)}

    return serving_default


def _serve_images(tf: Any, network: ExportedNetwork) -> Any:
    from archspec.runtime.data.pipeline.preprocess import check_preprocess

    input_shape, names = tuple(network.model.input_shape[1:]), network.class_names
    check_preprocess(input_shape, network.metadata.preprocess)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None,), tf.string, name="images")])  # type: ignore[untyped-decorator]
    def serve_images(images: Any) -> Any:
        x = tf.map_fn(
            lambda contents: _prepare(tf, network, contents),
            images,
            fn_output_signature=tf.TensorSpec(input_shape, tf.float32),
        )
        probabilities = tf.cast(network.probabilities(x, training=False), tf.float32)
        probabilities, order = tf.math.top_k(probabilities, k=len(names))
        return {"classes": tf.gather(tf.constant(names), order), "probabilities": probabilities}

    return serve_images


def _prepare(tf: Any, network: ExportedNetwork, contents: Any) -> Any:
    """Encoded bytes () -> the input of the network (H, W, C), as in evaluation."""
    from archspec.runtime.data.files.decode import decode
    from archspec.runtime.data.pipeline.preprocess import preprocess_image
    from archspec.runtime.export.image_bounds import bounded_image

    input_shape = tuple(network.model.input_shape[1:])
    pixels = decode(tf, bounded_image(tf, contents), input_shape[-1])
    return preprocess_image(tf, pixels, input_shape, network.metadata.preprocess, network.metadata.resize)
