"""Import and export: weights, specs of Keras models, fully convolutional networks, exported models."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from archspec.api.choices import DenseOutput, ExportPrecision
from archspec.api.network import Network, as_network
from archspec.api.outputs import check_output, write_text
from archspec.arguments import PositiveInt, Seed, StrPath, as_path, public
from archspec.diagnostics import fail
from archspec.graph.ir import Graph
from archspec.wording import reporter

if TYPE_CHECKING:
    import keras

    from archspec.graph.rewrite.padding import Effect
    from archspec.runtime.dense.convert import DenseModel
    from archspec.runtime.export.export_result import Export, ExportTable
    from archspec.runtime.weights import Matching


@public(model="`keras.saving.load_model` reads a file")
def load_weights(
    model: keras.Model,
    source: StrPath,
    *,
    graph: Graph | None = None,
    new_head: bool = False,
    adapt_input: bool = False,
) -> Matching:
    """Set the weights of a Keras model from a file of archspec, Keras or PyTorch, or from keras.applications.

    Args:
        model: a functional Keras model, of archspec or not.
        source: a file of Keras, PyTorch or safetensors, known by its contents; `FILE#KEY` for one of several sets of
            weights in it; a run directory; `keras:imagenet` or `keras:ResNet50`. Reading a file never runs code in it.
        graph: the graph that the model was built from; it gives the order of the layers of a model loaded from a file.
        new_head: keep the classifier of the model where that of the file has another number of classes.
        adapt_input: adapt the first kernel of the file to another number of input channels, as timm does: its sum over
            RGB for one channel, else repeated and scaled by 3 / channels.

    Returns:
        How the layers were matched, which set of weights was taken, and what was not used.

    Raises:
        ArchspecError: `weights-mismatch`, `several-weights`, `weights-not-found`, `weights-unknown`, `not-weights`,
            `weights-damaged`, `weights-unsafe`, `unknown-application`, `download`. The model is then unchanged.
    """
    from archspec.runtime import weights

    return weights.load_weights(model, as_path(source), graph=graph, new_head=new_head, adapt_input=adapt_input)


@public()
def from_keras(model: keras.Model | StrPath, *, name: str | None = None) -> str:
    """Write the spec of a functional Keras model, as YAML text: the reverse of `build`.

    Repeated layers become blocks and `repeat`. A `.keras` file of archspec contains its spec, which is returned
    unchanged unless `name` is given.

    Args:
        model: a model, a `.keras` file, a run directory, or `keras:ResNet50` for a function of keras.applications.
        name: the name of the spec; by default that of the model.

    Raises:
        ArchspecError: `not-functional`, `several-inputs`, `shared-layer`, `unknown-keras-layer`, `bad-name`; of a
            file `model-not-found`, `not-a-model`, `model-unsafe`; `unknown-application`.
    """
    from archspec.runtime.from_keras import spec_of, spec_of_source

    return spec_of_source(model, name=name) if isinstance(model, str) else spec_of(model, name=name)


@public(model="`archspec.convolutionalize_spec` converts files")
def convolutionalize(model: keras.Model, *, graph: Graph | None = None, output: DenseOutput = "scores") -> keras.Model:
    """Convert a classifier into a fully convolutional model for images of any size, with the same weights.

    Args:
        model: a functional Keras model that ends in dense layers or global pooling.
        graph: the graph that the model was built from; by default the layers are read from the model.
        output: `scores` and `logits` are maps; `mean_scores` and `softmax_of_mean` are vectors, averaged over the
            image (Simonyan & Zisserman 2014, section 3.2).

    Raises:
        ArchspecError: `not-convolutional`, `free-input`; without a graph the errors of `from_keras`.
    """
    from archspec.runtime.dense.convert import convolutionalize

    return convolutionalize(model, graph=graph, output=output)


@public()
def deepen(
    model: keras.Model,
    after: Mapping[str, int] | Sequence[str],
    *,
    graph: Graph | None = None,
    kernel_size: PositiveInt = 3,
    normalized: bool = False,
) -> keras.Model:
    """Make a trained network deeper by identity layers, which do not change its outputs, to train it further.

    He et al. 2016, section 1: "the added layers are identity mapping, and the other layers are copied".

    Args:
        model: a functional Keras model.
        after: paths, or patterns of paths, of relu layers, each with the number of layers to add after it; one by
            default.
        graph: the graph that the model was built from; by default the layers are read from the model.
        kernel_size: of added convolutions, odd.
        normalized: add batch normalization too. The outputs are then equal up to rounding, and at inference only.

    Raises:
        ArchspecError: `deepen`, `unmatched-pattern`, `bad-pattern`; without a graph the errors of `from_keras`.
    """
    from archspec.runtime.dense.net2deeper import deepen

    return deepen(model, after, graph=graph, kernel_size=kernel_size, normalized=normalized)


@public()
def optimize(model: keras.Model, *, graph: Graph | None = None, outputs: Sequence[str] = ()) -> keras.Model:
    """Rewrite a trained model for inference: fewer layers, and the same outputs to 1e-5 of the largest logit.

    Batch normalization and other layers that multiply and add in each channel are absorbed by the convolution or dense
    layer beside them, in float64; dropout, stochastic depth and needless reshapes are removed. Auxiliary outputs are
    left out.

    Args:
        model: a functional Keras model; it is unchanged.
        graph: the graph that the model was built from; by default the layers are read from the model.
        outputs: paths of layers whose outputs the new model returns too, in a list after the main output.

    Raises:
        ArchspecError: `unknown-layer`; without a graph the errors of `from_keras`.
    """
    from archspec.runtime.dense.for_inference import optimize

    return optimize(model, graph=graph, outputs=outputs).model


@dataclass(frozen=True)
class FullyConvolutional:
    """A network converted by `convolutionalize_spec`."""

    original: Graph
    """The graph of the original network."""
    graph: Graph
    """The converted graph, whose layers have the paths of the original."""
    spec: str
    """The spec of the converted network, YAML."""
    effects: tuple[Effect, ...]
    """How its output on larger images differs from the original applied to crops; empty where it is equal."""
    trained: DenseModel | None = None
    """The trained model that it was converted from; None when it was converted from a spec."""

    def __repr__(self) -> str:
        return f"<FullyConvolutional {self.graph!r}>"

    def __str__(self) -> str:
        return self.spec

    @public()
    def write(self, out: StrPath, *, overwrite: bool = False) -> Path:
        """Write the spec to a `.yaml` file, or the model with its weights to a `.keras` file.

        Raises:
            ArchspecError: `bad-output`, `output-exists`, `cannot-write`.
        """
        out = check_output(out, ".yaml", ".yml", ".keras", overwrite=overwrite)
        if out.suffix != ".keras":
            return write_text(out, self.spec, overwrite=overwrite)
        if self.trained is None:
            raise fail(
                "bad-output",
                f"`{self.original.name}` is a spec and has no weights for `{out}`",
                help="build a model file (`archspec build`, `Network.save`) and convert that",
            )
        from archspec.runtime.dense.convert import write_dense

        write_dense(self.trained, out)
        return out


@public()
def convolutionalize_spec(source: Network | StrPath, *, output: DenseOutput = "scores") -> FullyConvolutional:
    """Convert a spec or a model file to a fully convolutional network, as `archspec convolutionalize` does.

    Args:
        source: a network or a reference; a `.keras` file or a run directory.
        output: as for `convolutionalize`.

    Raises:
        ArchspecError: the errors of `convolutionalize`; those of `load`, or of reading a model file.
    """
    from archspec.graph.rewrite.padding import dense_effects

    if not isinstance(source, Network) and is_model(source):
        from archspec.runtime.dense.convert import dense_form

        form = dense_form(as_path(source), output=output)
        return FullyConvolutional(
            form.graph, form.dense, form.spec.text, dense_effects(form.graph, form.dense), trained=form
        )
    from archspec.graph.rewrite.fully_convolutional import fully_convolutional_spec

    network = as_network(source)
    graph = network.graph()
    dense, decompiled = fully_convolutional_spec(
        graph, output=output, preprocess=network.preprocess, resize=network.protocol.resize
    )
    return FullyConvolutional(graph, dense, decompiled.text, dense_effects(graph, dense))


def is_model(source: StrPath) -> bool:
    """Whether a path names a model file or a run directory, and not a spec."""
    return Path(source).suffix == ".keras" or Path(source).is_dir()


@public()
def export(
    model: StrPath,
    out: StrPath,
    *,
    format: str = "savedmodel",
    overwrite: bool = False,
    outputs: Sequence[str] = (),
    input_size: PositiveInt | Literal["free"] | None = None,
    dense: bool = False,
    optimize: bool = False,
    precision: ExportPrecision = "float32",
    calibration: StrPath | None = None,
    max_loss: float = 1.0,
    verify: bool = True,
    data: StrPath | None = None,
    split: str = "validation",
    images: PositiveInt = 256,
    seed: Seed = 0,
    report: Callable[[str], None] | None = None,
) -> Export:
    """Export a trained model for programs without archspec, as a new numbered version in a folder: `out/1`.

    A fresh process without archspec loads the export and runs it on images. The export gets its name only when its
    outputs are those of the model. `export.json` beside it says what it takes and returns, and what was measured.

    Args:
        model: a `.keras` file or a run directory.
        out: the folder of the versions.
        format: one of `export_formats()`.
        overwrite: replace the newest version instead of adding one.
        outputs: paths of layers whose outputs are exported too: `stage2/conv1`.
        input_size: side of the images in pixels, or "free" for images of any size; by default that of the network.
        dense: export the fully convolutional network (`convolutionalize`), which averages its scores over the image.
        optimize: rewrite the network for inference: fewer layers, the same outputs to 1e-5 of the largest logit.
        precision: of weights and arithmetic; `export_formats()` says which formats have which.
        calibration: for int8, images like those that the network will see: a data source.
        max_loss: percentage points of top-1 accuracy that a precision below float32 may lose.
        verify: load the export in a fresh process and compare it with the model.
        data: labelled images to verify with, and to measure top-1 accuracy on; by default generated images.
        split: the part of the data: "train", "validation", "test".
        images: at most as many images, with as many of each class as possible.
        seed: seed of the choice of images.
        report: receives lines of progress.

    Raises:
        ArchspecError: `unknown-format`, `missing-package`, `output-exists`, `cannot-write`, `no-classifier`,
            `unknown-layer`, `not-exportable`, `export-differs`, `export-fails`, `precision`, `calibration`,
            `export-slower`, `export-loses`, `shape`, `not-convolutional`; the errors of reading a model file and data.
    """
    from archspec.runtime.export.exporter import ExportOptions, export

    options = ExportOptions(
        format=format,
        overwrite=overwrite,
        outputs=tuple(outputs),
        input_size=input_size,
        dense=dense,
        optimize=optimize,
        precision=precision,
        calibration=as_path(calibration),
        max_loss=max_loss,
        verify=verify,
        data=as_path(data),
        split=split,
        images=images,
        seed=seed,
        report=reporter(report),
    )
    return export(as_path(model), as_path(out), options)


@public()
def export_all(
    model: StrPath,
    out: StrPath,
    *,
    overwrite: bool = False,
    outputs: Sequence[str] = (),
    input_size: PositiveInt | Literal["free"] | None = None,
    dense: bool = False,
    optimize: bool = False,
    calibration: StrPath | None = None,
    max_loss: float = 1.0,
    verify: bool = True,
    data: StrPath | None = None,
    split: str = "validation",
    images: PositiveInt = 256,
    seed: Seed = 0,
    report: Callable[[str], None] | None = None,
) -> ExportTable:
    """Export a trained model in all installed formats and precisions: `out/onnx/1`, `out/onnx-int8/1`, ...

    Args:
        model: a `.keras` file or a run directory.
        out: the folder of the exports.
        overwrite: replace the newest version of each instead of adding one.
        outputs: as for `export`, and so are the other arguments.
        calibration: images for int8; by default the training part of `data`.
        data: labelled images to verify with. Without data and `calibration` there is no int8.

    Returns:
        A table; its text has a line for each export, and the reasons why others were not written.

    Raises:
        ArchspecError: those of `export`. A format that is slower, less accurate or impossible is in the table instead.
    """
    from archspec.runtime.export.export_all import export_all
    from archspec.runtime.export.exporter import ExportOptions

    options = ExportOptions(
        overwrite=overwrite,
        outputs=tuple(outputs),
        input_size=input_size,
        dense=dense,
        optimize=optimize,
        calibration=as_path(calibration),
        max_loss=max_loss,
        verify=verify,
        data=as_path(data),
        split=split,
        images=images,
        seed=seed,
        report=reporter(report),
    )
    return export_all(as_path(model), as_path(out), options)


def export_formats() -> list[tuple[str, str]]:
    """The export formats, those of plugins included: the name, and a description whose first line is a summary."""
    from archspec.runtime.export import EXPORT_FORMATS

    return [(name, inspect.cleandoc(each.__doc__ or "")) for name, each in EXPORT_FORMATS.with_plugins().items()]
