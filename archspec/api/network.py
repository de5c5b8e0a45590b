"""The class Network: a spec with a variant and settings, which builds graphs and Keras models."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from archspec.arguments import PositiveInt, Seed, StrPath, as_path, public
from archspec.declare import Declared
from archspec.diagnostics import ArchspecError, Diagnostic, Span
from archspec.graph.compile.builder import Budget
from archspec.graph.compile.compiler import Compiler
from archspec.graph.compile.parameters import parameters
from archspec.graph.ir import Graph
from archspec.lang.declarations import from_one_key, read_section
from archspec.lang.document.nodes import MappingNode
from archspec.lang.schema.spec_schema import SECTIONS
from archspec.lang.spec import overrides
from archspec.lang.spec.spec import Spec
from archspec.transforms import TRANSFORMS

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from archspec.api.choices import Direction, DrawingStyle, Figure
    from archspec.drawings.drawing import Drawing
    from archspec.lang.recipes.recipe import EvaluationRecipe, Recipe
    from archspec.lang.spec.published import Published
    from archspec.runtime.weights import Matching

Setting: TypeAlias = bool | int | float | str | Sequence["Setting"] | Mapping[str, "Setting"] | None
"""The value of a param of a spec (`classes=10`, `input=[64, 64, 3]`), or of a key of its recipe (`train.epochs`)."""


@dataclass(frozen=True)
class Network:
    """One network of a spec: `load("vgg:D", classes=10)`."""

    spec: Spec = field(repr=False)
    """The parsed spec."""
    reference: str
    """As it was given to `load`: `vgg:D`."""
    variant: str | None
    """None for a spec without variants."""
    settings: Mapping[str, Setting]
    """The settings given to `load`."""
    own_recipe: MappingNode | None = field(default=None, repr=False)
    """A document with the recipe under `train`, which replaces the recipe of the spec."""
    _budget: Budget | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name of the Keras model: `vgg-D`."""
        return f"{self.spec.name}-{self.variant}" if self.variant else self.spec.name

    @cached_property
    def _graph(self) -> Graph:
        return Compiler(self.spec, self.variant, self._params, budget=self._budget).graph(self.name)

    def graph(self) -> Graph:
        """The static graph: shapes, weights and MACs of every layer. Does not import TensorFlow.

        Raises:
            ArchspecError: the errors of the spec.
        """
        return self._graph

    def _repr_html_(self) -> str:
        """For notebooks: the summary of the outermost layers, and the drawing."""
        from html import escape

        from archspec.api.analysis import summarize

        table = f"<pre style='line-height: 1.2'>{escape(summarize(self, depth=1).render())}</pre>"
        return f"{table}<div style='max-width: 100%; overflow: auto'>{self.draw().svg()}</div>"

    @public()
    def build(
        self,
        weights: StrPath | None = None,
        *,
        adapt_input: bool = False,
        init: bool = False,
        seed: Seed | None = None,
    ) -> keras.Model:
        """Build the Keras model: one functional model, whose layer `a.b` is the layer `a/b` of the graph.

        Args:
            weights: a weight file, a run directory or `keras:imagenet`, as for `load_weights`. By default the
                weights are initialized by Keras. A warning names what a user should know, such as other weights in the
                file; `load_weights` returns it instead.
            adapt_input: adapt the first kernel of `weights` to the input channels, as in `load_weights`.
            init: initialize the weights by the recipe's `init:`, as `train` does. This takes twice as long.
            seed: seed Keras, TensorFlow, NumPy and Python before drawing the initial weights.

        Raises:
            ArchspecError: the errors of the spec; the errors of `load_weights`.
        """
        from archspec.runtime.models.build import build_model, seed_everything

        if seed is not None:
            seed_everything(seed)
        model = build_model(self.graph())
        if init:
            from archspec.runtime.weights.initial_weights import initialize

            initialize(model, self.graph(), self.recipe.init)
        if weights is not None:
            from archspec.runtime.weights import load_weights

            matching = load_weights(model, as_path(weights), graph=self.graph(), adapt_input=adapt_input)
            remarks = matching.remarks(str(weights))
            if remarks:
                warnings.warn(f"weights of {weights}: {'; '.join(remarks)}", stacklevel=4)
        return model

    @public()
    def save(
        self,
        out: StrPath,
        *,
        weights: StrPath | None = None,
        adapt_input: bool = False,
        seed: Seed = 0,
        overwrite: bool = False,
    ) -> ModelFile:
        """Build the model and save it to a `.keras` file, with its spec and preprocessing: `archspec build`.

        Keras can load the file without archspec. The weights are loaded from `weights`, or initialized by the recipe's
        `init:`.

        Args:
            out: the file, whose name ends in `.keras`.
            weights: a weight file, a run directory or `keras:imagenet`, as for `load_weights`.
            adapt_input: as for `load_weights`.
            seed: seed of the initial weights.
            overwrite: replace an existing file.

        Raises:
            ArchspecError: the errors of the spec; the errors of `load_weights`; `bad-output`,
                `output-exists`, `cannot-write`.
        """
        from archspec.api.outputs import check_output

        out = check_output(out, ".keras", overwrite=overwrite)
        graph = self.graph()
        from archspec.runtime.models.custom_layers import check_loadable
        from archspec.runtime.models.metadata import Metadata
        from archspec.runtime.models.model_file import save_model
        from archspec.runtime.weights.weight_file import check_source

        check_source(as_path(weights))
        model = self.build(init=weights is None, seed=seed)
        matching = None
        if weights is not None:
            from archspec.runtime.weights import load_weights

            matching = load_weights(model, as_path(weights), graph=graph, adapt_input=adapt_input)
        metadata = Metadata(
            reference=self.reference,
            spec=self.resolved_text(),
            preprocess=self.preprocess,  # type: ignore[arg-type]
            resize=self.protocol.resize,
        )
        check_loadable(model, metadata)
        save_model(model, out, metadata)
        return ModelFile(out, model.count_params(), out.stat().st_size, matching)

    def draw(
        self,
        style: DrawingStyle = "graph",
        *,
        depth: int | None = None,
        unfold: bool | None = None,
        direction: Direction | None = None,
        show: Sequence[Figure] | None = None,
        log: bool | None = None,
        layer: str | None = None,
        image: StrPath | None = None,
    ) -> Drawing:
        """Draw the network, as `archspec.draw` does. A notebook shows the drawing.

        Raises:
            ArchspecError: the errors of `archspec.draw`.
        """
        from archspec.api.drawing import draw

        return draw(
            self,
            style=style,
            depth=depth,
            unfold=unfold,
            direction=direction,
            show=show,
            log=log,
            layer=layer,
            image=image,
        )

    @cached_property
    def recipe(self) -> Recipe:
        """How the network is trained: `train:` with its defaults and the settings `train.*`.

        Raises:
            ArchspecError: the errors of the recipe.
        """
        from archspec.lang.recipes.recipe import recipe

        return recipe(self._section("train"))

    @cached_property
    def protocol(self) -> EvaluationRecipe:
        """How the network is evaluated: `evaluate:` with its defaults and the settings `evaluate.*`.

        Raises:
            ArchspecError: the errors of that section.
        """
        from archspec.lang.recipes.recipe import EvaluationRecipe

        return read_section(EvaluationRecipe, self._section("evaluate"))

    @cached_property
    def preprocess(self) -> tuple[Declared, ...]:
        """The transforms between the pixels, 0 to 255, and the network."""
        return tuple(from_one_key(each, TRANSFORMS) for each in self._section("preprocess"))

    @property
    def published(self) -> tuple[Published, ...]:
        """Error rates of this network from its paper or its authors, with their sources: `published:` of the spec.

        Empty for a network with settings, which is another network.
        """
        from archspec.lang.spec.published import published

        return () if self.settings else published(self.spec, self.variant)

    @property
    def params(self) -> dict[str, Any]:
        """The values of the spec's params in this network."""
        return dict(self._params)

    @cached_property
    def _params(self) -> dict[str, Any]:
        return parameters(self.spec, self.variant, overrides.split(self.settings)[0])

    def resolved_text(self) -> str:
        """This network as a standalone spec (YAML), with the variant selected and the settings applied."""
        from archspec.lang.spec.resolve import resolved_text

        sections = {name: self._section(name) for name in (*SECTIONS, "preprocess")}
        given = {name: section for name, section in sections.items() if section}
        return resolved_text(self.spec, self.variant, self.params, given, self.name)

    def check(self) -> list[Diagnostic]:
        """Check this network. Returns its errors and warnings (see `severity`), or an empty list."""
        from archspec.graph.select import check_recipe

        try:
            found = self.unmet()
            graph = self.graph()
            _ = self.protocol, self.preprocess
            check_recipe(graph, self.recipe, lambda *path: overrides.place(self.spec.document, ("train", *path)))
            return found + self.warnings()
        except ArchspecError as error:
            return list(error.diagnostics)

    @public()
    def warnings(self, side: PositiveInt | None = None) -> list[Diagnostic]:
        """Warnings about probable mistakes: inputs with the channels first, small crops, very large pixel values.

        Args:
            side: the shortest side of the training images in pixels, where it is known.

        Raises:
            ArchspecError: the errors of the spec.
        """
        from archspec.lang.recipes.crop_share import small_crop
        from archspec.lang.recipes.pixel_range import wide_range
        from archspec.lang.schema.channel_order import channels_first_warning

        def where(section: str, *path: str) -> Span | None:
            return overrides.place(self._document(section), (section, *path))

        inputs = [
            (name, node.shape, None if "input" in self.settings else sizes.span)
            for node, (name, (sizes, _)) in zip(self.graph().inputs, self.spec.inputs.items(), strict=True)
        ]
        found = [
            *(channels_first_warning(name, shape, span) for name, shape, span in inputs),
            small_crop(self.graph().input_shape, self.recipe, self.protocol, where, side),
            wide_range(self.graph().input_shape, self.preprocess, where("preprocess")),
        ]
        return [each for each in found if each is not None]

    def unmet(self) -> list[Diagnostic]:
        """The figures of `expect:` that the graph does not meet. Always empty for a network with settings."""
        from archspec.graph.analysis.expect import expectations

        return [] if self.settings else expectations(self.spec, self.variant, self.graph())

    def _section(self, name: str) -> Any:
        document, settings = self._document(name), overrides.split(self.settings)[1]
        return overrides.section(document, name, settings, self._params, checked=document is self.spec.document)

    def _document(self, section: str) -> MappingNode:
        return self.own_recipe if section == "train" and self.own_recipe else self.spec.document


@dataclass(frozen=True)
class ModelFile:
    """A `.keras` file that `Network.save` wrote."""

    path: Path
    """The file."""
    parameters: int
    """The number of parameters of the model."""
    bytes: int
    """Size of the file."""
    weights: Matching | None
    """How the layers were matched with the weight file; None for initial weights."""
