"""Initial weights of a new model: drawn by the rules of `init:`, or those of a trained network by a map of paths."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import ArchspecError, Source, counted, did_you_mean, fail, listed
from archspec.format import Table
from archspec.graph.compile.compiler import compile_spec
from archspec.graph.ir import Graph
from archspec.graph.patterns import partner, unmatched
from archspec.graph.select import INIT_MAPS, Pairs, initializers
from archspec.lang.recipes.initializers import Initializer, Rule
from archspec.lang.spec.spec import parse
from archspec.runtime.models.keras_class import keras_class
from archspec.runtime.models.keras_graph import KerasGraph, keras_graph
from archspec.runtime.models.model_file import read_metadata
from archspec.runtime.weights.input_channels import adapted, first_convolution
from archspec.runtime.weights.keras_units import model_slots
from archspec.runtime.weights.load import assign
from archspec.runtime.weights.matching import Slot, Unit, shown
from archspec.runtime.weights.quantized import check_pairs
from archspec.runtime.weights.weight_file import WeightSource, open_source, weight_path
from archspec.runtime.weights.weight_sets import rank

if TYPE_CHECKING:
    import keras


def initialize(model: Any, graph: Graph, rules: tuple[Rule, ...], seed: int | None = None) -> None:
    """Draw the weights that the rules name; other weights are unchanged.

    The values depend on the seed, the path and the name of the weight alone, not on other layers. Without a seed one is
    drawn from Python's `random`, which `keras.utils.set_random_seed` seeds.

    Raises ArchspecError: those of `archspec.graph.select.initializers`; `initializer` for one that
    Keras cannot
    draw in the shape of the weight.
    """
    import keras

    if not rules:
        return
    base = random.randint(0, 2**31 - 1) if seed is None else seed
    for (path, index), initializer in initializers(graph, rules).items():
        variable = [each for name in graph[path].weighted_layers for each in model.get_layer(name).weights][index]
        word = f"{base}/{path}/{graph[path].facts.weights[index].name}"
        drawn = made(keras, initializer, zlib.crc32(word.encode()) >> 1)
        try:
            variable.assign(drawn(variable.shape, dtype=variable.dtype))
        except ValueError as error:
            shape = "x".join(map(str, variable.shape))
            message = f"`{initializer.name}` does not support the shape {shape} of the weight of `{path}`"
            note = str(error).strip().split("\n")[0]
            raise fail("initializer", message, notes=[f"Keras says: {note}"], help="use another initializer") from error


def made(keras: Any, initializer: Initializer, seed: int) -> Any:
    """The Keras initializer; constant ones take no seed."""
    kind = keras_class(keras.initializers, initializer.name)
    given = initializer.keras_arguments()
    fixed = initializer.name in ("zeros", "ones", "constant", "identity")
    return kind(**given) if fixed else kind(**given, seed=seed)


@dataclass(frozen=True)
class TransferredLayer:
    """A layer with weights, and the layer that it is initialized from; `problem` says why it cannot be."""

    path: str
    weights: str
    source: str | None
    problem: str | None = None


@dataclass(frozen=True)
class Transfer:
    """Which layers are initialized from which. `unused` are layers of the source that no layer is initialized from."""

    source: str
    layers: tuple[TransferredLayer, ...]
    unused: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    """The set of weights that was taken, an adapted kernel, arrays with NaN or infinity."""

    def table(self) -> list[str]:
        """A line for each layer of the network, then the layers of the source that are not used."""
        rows = [
            (each.path, each.weights, each.source or "-", each.problem or ("" if each.source else "initial weights"))
            for each in self.layers
        ]
        unused = [f"not used: {', '.join(self.unused)}"] if self.unused else []
        return [*Table(("layer", "weights", f"in {self.source}", ""), rows).lines(), *unused, *self.remarks]


def initialize_from(
    model: keras.Model, graph: Graph, source: str, maps: Sequence[str], *, adapt_input: bool = False
) -> Transfer:
    """Set the weights of the layers that the maps name; other layers are unchanged.

    Args:
        graph: of the model.
        source: a file of weights, as in `load_weights`; a named map needs a model file or a run.
        adapt_input: adapt the first kernel to another number of input channels, as in `load_weights`.
        maps: names of INIT_MAPS; patterns of paths of this network, PATTERN for layers of the same path in the source,
            or TARGET=SOURCE, whose wildcards match the same text. If several match, the last one applies.

    Raises:
        ArchspecError: `init-map` with the table, `unmatched-pattern`, `bad-pattern`, and those of `open_source`; then
            no weight is changed.
    """
    keras = keras_graph(model)
    slots = {slot.name.replace(".", "/"): slot for slot in model_slots(keras).values()}
    in_order = [node.path for node in graph.layers if node.path in slots]
    wanted = dict(_pairs(graph, source, maps, in_order))
    with open_source(source, model.name, None) as opened:
        units = {unit.name.replace(".", "/"): unit for unit in opened.units}
        remarks = _sets(source, opened)
        for path, (unit, what) in (_adapted(keras, slots, wanted, units) if adapt_input else {}).items():
            units[path] = unit
            remarks.append(f"adapted {what}")
        layers = tuple(_layer(path, slots[path], wanted.get(path), units) for path in in_order)
        transfer = Transfer(
            source, layers, tuple(path for path in units if path not in wanted.values()), tuple(remarks)
        )
        wrong = sum(each.problem is not None for each in layers)
        if wrong:
            raise fail(
                "init-map",
                f"{counted(wrong, 'layer')} cannot be initialized from `{source}` by `--init-map`",
                notes=transfer.table(),
                help="leave them out of the patterns: `--init-map 'conv*/**'`, or give other pairs `TARGET=SOURCE`",
            )
        pairs = [(slots[each.path], units[each.source]) for each in layers if each.source is not None]
        check_pairs(pairs, source)
        not_finite, negative = assign(pairs)
    if not_finite:
        remarks.append(f"warning: NaN or infinity in {listed(not_finite, 4)}")
    if negative:
        remarks.append(f"warning: negative values in {listed(negative, 4)}")
    return replace(transfer, remarks=tuple(remarks))


def _sets(source: str, opened: WeightSource) -> list[str]:
    """Which set of weights is read. Raises ArchspecError (several-weights) if the keys do not tell."""
    others = [each for each in opened.others if not each.whole]
    if not others:
        return []
    alike = [each.key for each in (opened, *others) if rank(each.key) == rank(opened.key)]
    if len(alike) > 1:
        raise fail(
            "several-weights",
            f"`{source}` has several sets of weights: {listed([f'`{key}`' for key in alike], 8)}",
            help="choose one: " + listed([f"`{source}#{key}`" for key in alike], 8),
        )
    return [f"weights `{opened.key}`; not taken: {listed([f'`{source}#{each.key}`' for each in others], 8)}"]


def _adapted(
    keras: KerasGraph, slots: dict[str, Slot], wanted: dict[str, str], units: dict[str, Unit]
) -> dict[str, tuple[Unit, str]]:
    """The unit for the first convolution, adapted to its input channels, by its path in the source."""
    first = first_convolution(keras, model_slots(keras))
    path = next((wanted.get(path) for path, slot in slots.items() if first and slot.name == first.name), None)
    if first is None or path not in units:
        return {}
    return {path: (changed[0], what) for path in [path] for changed, what in adapted([units[path]], first)}


def _pairs(graph: Graph, source: str, maps: Sequence[str], paths: Sequence[str]) -> Pairs:
    """Pairs (path of a layer, path in the source), whether or not the source has that layer."""
    pairs: Pairs = []
    for text in maps:
        if text in INIT_MAPS:
            pairs += INIT_MAPS[text](_source_graph(source, text), graph)
            continue
        target, equals, other = text.partition("=")
        found = [(path, there) for path in paths if (there := partner(path, target, other if equals else target))]
        if not found:
            near = did_you_mean(text, INIT_MAPS)
            (diagnostic,) = unmatched(target, paths).diagnostics
            raise fail(diagnostic.code, diagnostic.message, notes=diagnostic.notes, help=near or diagnostic.help)
        pairs += found
    return pairs


def _source_graph(source: str, name: str) -> Graph:
    """The graph of the source; a named map needs the order of its layers."""
    try:
        spec = None if source.startswith("keras:") else read_metadata(weight_path(source)[0]).spec
    except ArchspecError as error:
        if error.diagnostics[0].code in ("model-not-found", "weights-not-found", "weights-unknown"):
            raise
        spec = None
    if spec is None:
        raise fail(
            "init-map",
            f"`{name}` needs the order of the layers of `{source}`, which has no spec",
            help="give a model file or run directory of archspec, or pairs of patterns",
        )
    return compile_spec(parse(Source(source, spec)))


def _layer(path: str, slot: Slot, source: str | None, units: dict[str, Unit]) -> TransferredLayer:
    problem = None
    if source is not None and source not in units:
        problem = "the source has no such layer"
    elif source is not None and units[source].signature != slot.signature:
        problem = f"the source has {shown(units[source].shapes)}"
    return TransferredLayer(path, shown(slot.shapes), source, problem)
