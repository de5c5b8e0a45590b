"""Read the network that is exported from a model file: which outputs it has, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archspec.diagnostics import ArchspecError, Source, did_you_mean, fail, listed
from archspec.graph.compile.compiler import compile_spec
from archspec.graph.ir import unused_name
from archspec.lang.spec.spec import parse
from archspec.runtime.export.network import ExportedNetwork, entering
from archspec.runtime.models.classifier import ends_in_probabilities, main_output, scores_of, targets_of_model
from archspec.runtime.models.keras_graph import output_names
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, model_path
from archspec.targets import OutputTargets
from archspec.targets.output_targets import named_outputs

NO_TARGETS = OutputTargets(())
PROBABILITIES, VALUES = "probabilities", "values"


def read_network(source: str | Path, outputs: Sequence[str] = ()) -> ExportedNetwork:
    """The network of a model file, with the layers of these paths as features.

    Raises:
        ArchspecError: those of `load_model`; `no-classifier` where the outputs are not those that the file names;
            `unknown-layer`.
    """
    path = model_path(source)
    loaded, metadata = load_model(path)
    keys = output_names(loaded)
    loaded = _flat(loaded)
    spec_names = _spec_output_names(loaded, metadata) or keys
    targets = _targets(loaded, metadata, spec_names)
    if not targets:
        return _without_targets(loaded, metadata, path, spec_names, outputs)
    model = main_output(loaded)  # auxiliary classifiers serve training only (Szegedy et al. 2014, section 5)
    features, kept, several = features_of(model, outputs), tuple(outputs), len(targets) > 1
    if several:
        kept = tuple(target.name for target in targets[1:])
        features = _model(loaded, loaded.outputs[1 : len(targets)])
    units = 2 if targets[0].kind.name == "binary" else targets[0].units
    names = metadata.class_names or targets[0].class_names or tuple(map(str, range(units)))
    return ExportedNetwork(
        model, features, kept, metadata, names, metadata.preprocess, path, targets, several_outputs=several
    )


def _without_targets(
    loaded: Any, metadata: Metadata, path: Path, spec_names: Sequence[str], outputs: Sequence[str]
) -> ExportedNetwork:
    """All outputs of a network by their names, as values."""
    several = len(loaded.outputs) > 1
    model = _model(loaded, loaded.outputs[0]) if several else loaded
    if several:
        names = list(spec_names) or _output_names(loaded)
        kept, features = tuple(names[1:]), _model(loaded, loaded.outputs[1:])
    else:
        names = list(spec_names) or [PROBABILITIES if ends_in_probabilities(loaded) else VALUES]
        kept, features = tuple(outputs), features_of(model, outputs)
    preprocess = metadata.preprocess if len(loaded.inputs) == 1 else ()
    return ExportedNetwork(
        model,
        features,
        kept,
        metadata,
        (),
        preprocess,
        path,
        NO_TARGETS,
        main_name=names[0],
        several_outputs=several,
    )


def _targets(loaded: Any, metadata: Metadata, spec_names: Sequence[str]) -> OutputTargets:
    """The targets of the outputs; none where the network has several inputs, or outputs without a known meaning."""
    if len(loaded.inputs) > 1:
        return NO_TARGETS
    trained = metadata.targets or metadata.class_names is not None
    auxiliary = metadata.spec is not None and not spec_names and len({tuple(x.shape) for x in loaded.outputs}) == 1
    if len(loaded.outputs) > 1 and not trained and not auxiliary:
        return NO_TARGETS
    targets = targets_of_model(loaded, metadata)
    try:
        scores = scores_of(loaded, targets)
    except ArchspecError as error:
        if metadata.targets or error.diagnostics[0].code != "no-classifier":
            raise
        return NO_TARGETS
    if trained or scores is not loaded:
        return targets
    # without class names and an activation, only a dense layer at the end computes logits: else the values are features
    return targets if type(loaded.layers[-1]).__name__ == "Dense" and not spec_names else NO_TARGETS


def _spec_output_names(loaded: Any, metadata: Metadata) -> tuple[str, ...]:
    """The names that the spec gives the outputs; () where it names none, or is not that of the network."""
    if metadata.spec is None:
        return ()
    names = compile_spec(parse(Source("archspec.json", metadata.spec))).output_names
    return names if len(names) == len(loaded.outputs) else ()


def _output_names(model: Any) -> list[str]:
    """A name for each output, from its layer."""
    paths = [tensor._keras_history.operation.name.replace(".", "/") for tensor in model.outputs]
    found: list[str] = []
    for name in named_outputs(paths):
        found.append(unused_name(name, found))
    return found


def _flat(model: Any) -> Any:
    """The model with a list of outputs: one that was built with a dictionary takes and returns dictionaries."""
    plain = not any(isinstance(getattr(model, name, None), dict) for name in ("input", "output"))
    return model if plain else _model(model, model.outputs[0] if len(model.outputs) == 1 else list(model.outputs))


def _model(model: Any, outputs: Any) -> Any:
    """The keras.Model from the inputs of a model to other outputs of its layers."""
    import keras

    return keras.Model(entering(model), outputs, name=model.name)


def features_of(model: Any, paths: Sequence[str]) -> Any:
    """The keras.Model from the inputs to the outputs of layers, at the first call of each.

    Raises:
        ArchspecError: `unknown-layer`.
    """
    if not paths:
        return None
    layers = {layer.name: layer for layer in model.layers}
    for path in paths:
        if path.replace("/", ".") not in layers:
            known = [name.replace(".", "/") for name in layers]
            inside = [name for name in known if name.startswith(f"{path}/")]
            raise fail(
                "unknown-layer",
                f"`{path}` is a block, not a layer"
                if inside
                else f"the network has no layer `{path}` before its main output",
                help=f"choose one of its layers: {listed(inside, 12)}"
                if inside
                else did_you_mean(path, known) or f"its layers are: {listed(known, 12)}",
            )
    return _model(model, [layers[path.replace("/", ".")].output for path in paths])
