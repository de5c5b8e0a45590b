"""Export a trained network as a SavedModel that TensorFlow serves without archspec, and check what was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import fail
from archspec.runtime.data.files.decode import decode
from archspec.runtime.data.pipeline.preprocess import check_preprocess, preprocess_image
from archspec.runtime.models.classifier import logits_of, main_output, probabilities_of
from archspec.runtime.models.fast_grouped_conv import speed_up_grouped_convolutions
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model
from archspec.runtime.system.atomic_write import atomic, check_writable, os_errors
from archspec.runtime.system.tensorflow_import import import_tensorflow, need_tensorflow_backend, warnings_hidden

TOLERANCE = 1e-5
"""How far the exported probabilities may be from the network's own."""
OF_FEW_BITS = {"float16": 2e-3, "bfloat16": 2e-2}
"""The same for networks with layers of such precision: operations that TensorFlow joins round otherwise."""


@dataclass(frozen=True)
class Export:
    """A SavedModel that `export` wrote, loaded and compared with the model."""

    directory: Path
    """The folder of the SavedModel."""
    signatures: tuple[str, ...]
    """`serving_default`, and `serve_images` for models of images."""
    largest_difference: float
    """Between its probabilities and those of the model."""
    bytes: int
    """Size of all files."""


def export(model: str | Path, out: str | Path) -> Export:
    """Write a SavedModel with the signatures

    serving_default: float32 (batch, *input) as the `.keras` model takes it -> {"probabilities": (batch, classes)},
        or {"logits": ...} where the network does not end in softmax.
    serve_images: encoded JPEG or PNG bytes, strings (batch,) -> {"classes": names (batch, classes), "probabilities":
        float32 (batch, classes)}, the likeliest first. It decodes, resizes, crops and preprocesses as evaluation does.
        Only for networks that take images of a fixed size.

    The class names are in assets/classes.txt, one a line. The SavedModel is loaded and compared before it gets its
    name; until then it has a temporary one.

    Raises:
        ArchspecError: those of `load_model`; `output-exists`, `cannot-write`, `no-classifier`, `export-differs`.
    """
    out = Path(out)
    if out.exists() or out.is_symlink():
        raise fail("output-exists", f"`{out}` exists", help="give another `-o`")
    check_writable(out)
    need_tensorflow_backend()
    tf = import_tensorflow()
    loaded, metadata = load_model(model)
    speed_up_grouped_convolutions(loaded, always=True)  # whoever serves it may have no GPU
    loaded = main_output(loaded)  # auxiliary classifiers help in training alone (Szegedy et al. 2014, section 5)
    network = probabilities_of(loaded)
    names = metadata.class_names or tuple(map(str, range(network.output_shape[-1])))
    functions = {"serving_default": _serve_floats(tf, loaded)}
    if len(network.input_shape) == 4 and network.input_shape[-1] in (1, 3) and None not in network.input_shape[1:]:
        check_preprocess(network.input_shape[1:], metadata.preprocess)
        functions["serve_images"] = _serve_images(tf, network, metadata, names)
    with os_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    with atomic(out) as temporary:
        _write(tf, loaded, functions, temporary)
        (temporary / "assets").mkdir(exist_ok=True)
        (temporary / "assets" / "classes.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        difference = _compare(tf, temporary, loaded, network, metadata, names)
        size = sum(file.stat().st_size for file in temporary.rglob("*") if file.is_file())
    return Export(out, tuple(functions), difference, size)


def _serve_floats(tf: Any, model: Any) -> Any:
    output = "logits" if logits_of(model) is model else "probabilities"

    @tf.function(
        autograph=False, input_signature=[tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="images")]
    )  # type: ignore[untyped-decorator]
    def serving_default(images: Any) -> Any:
        return {output: tf.cast(model(images, training=False), tf.float32)}

    return serving_default


def _serve_images(tf: Any, network: Any, metadata: Metadata, names: tuple[str, ...]) -> Any:
    input_shape = tuple(network.input_shape[1:])

    def prepare(contents: Any) -> Any:
        pixels = decode(tf, contents, input_shape[-1])
        return preprocess_image(tf, pixels, input_shape, metadata.preprocess, metadata.resize)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None,), tf.string, name="images")])  # type: ignore[untyped-decorator]
    def serve_images(images: Any) -> Any:
        x = tf.map_fn(prepare, images, fn_output_signature=tf.TensorSpec(input_shape, tf.float32))
        probabilities = tf.cast(network(x, training=False), tf.float32)
        probabilities, order = tf.math.top_k(probabilities, k=len(names))
        return {"classes": tf.gather(tf.constant(names), order), "probabilities": probabilities}

    return serve_images


def _write(tf: Any, model: Any, functions: dict[str, Any], path: Path) -> None:
    import keras

    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, function in functions.items():
        function.get_concrete_function()
        archive.add_endpoint(name, function)
    try:
        with warnings_hidden():
            archive.write_out(str(path), verbose=False)
    except tf.errors.OpError as error:
        raise OSError(str(error.message).splitlines()[0]) from error


def _compare(tf: Any, path: Path, model: Any, network: Any, metadata: Metadata, names: tuple[str, ...]) -> float:
    """Load the SavedModel and compare it with the network on noise, one and three images at a time.

    Raises:
        ArchspecError: `export-differs`.
    """
    saved = tf.saved_model.load(str(path))
    generator = np.random.default_rng(0)
    input_shape = tuple(network.input_shape[1:])
    differences = []
    for images in (1, 3):
        x = generator.uniform(size=(images, *(side or 64 for side in input_shape))).astype(np.float32)
        (given,) = saved.signatures["serving_default"](images=tf.constant(x)).values()
        differences.append(np.abs(given.numpy() - model(x, training=False).numpy()).max())
    if "serve_images" in saved.signatures:
        height, width, channels = input_shape
        sides = ((height, width), (height + 5, 2 * width + 3), (2 * height + 1, width + 2))
        noise = [generator.integers(0, 256, (*side, channels), dtype=np.uint8) for side in sides]
        encoded = [tf.io.encode_png(noise[0]), tf.io.encode_jpeg(noise[1]), tf.io.encode_png(noise[2])]
        x = tf.stack(
            [
                preprocess_image(tf, decode(tf, each, channels), input_shape, metadata.preprocess, metadata.resize)
                for each in encoded
            ]
        )
        expected = network(x, training=False).numpy()
        given = saved.signatures["serve_images"](images=tf.stack(encoded))
        for row, classes, probabilities in zip(
            expected, given["classes"].numpy(), given["probabilities"].numpy(), strict=True
        ):
            by_name = {each.decode(): p for each, p in zip(classes, probabilities, strict=True)}
            differences += [abs(by_name[name] - row[index]) for index, name in enumerate(names)]
    largest = float(np.max(differences))
    bound = max(OF_FEW_BITS.get(layer.compute_dtype, TOLERANCE) for layer in network.layers)
    if not largest <= bound:
        fact = f"the exported network differs from the trained one by up to {largest:.1e}"
        raise fail("export-differs", fact, help="nothing was kept; please report this with the page of the network")
    return largest
