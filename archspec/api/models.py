"""Import and export: weights, specs of Keras models, fully convolutional networks, exported models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.api.choices import DenseOutput
from archspec.api.network import Network
from archspec.api.outputs import check_output, write_text
from archspec.api.references import as_network
from archspec.arguments import PositiveInt, StrPath, as_path, public
from archspec.diagnostics import fail
from archspec.graph.ir import Graph

if TYPE_CHECKING:
    import keras

    from archspec.graph.rewrite.padding import Effect
    from archspec.runtime.dense.convert import DenseModel
    from archspec.runtime.weights import Matching


def use_custom(name: str) -> None:
    """Import the user's own classes before a model file is loaded: MODULE, or MODULE:CLASS. For the command line.

    The module is imported when the first model is loaded, which may raise `custom-layer`.

    Raises ArchspecError: `custom-layer` for another form, and for a module that is not found.
    """
    from archspec.runtime.models.custom_modules import use_custom

    use_custom(name)


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
        ArchspecError: `not-functional`, `unknown-keras-layer`, `bad-name`; of a
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
