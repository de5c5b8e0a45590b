"""The class Network: a spec with a variant and settings, which builds graphs and Keras models."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from archspec.api.outputs import check_output
from archspec.api.spec_files import read_recipe, read_spec, split_reference
from archspec.arguments import Seed, StrPath, as_path, public
from archspec.declare import Declared
from archspec.diagnostics import ArchspecError, Diagnostic, Source, Span, did_you_mean, fail, listed
from archspec.graph.compile.builder import Budget
from archspec.graph.compile.compiler import compile_spec
from archspec.graph.compile.parameters import check_variant, parameters
from archspec.graph.ir import Graph
from archspec.lang.declarations import from_one_key, read_section
from archspec.lang.document.nodes import MappingNode
from archspec.lang.schema.spec_schema import SECTIONS
from archspec.lang.spec import overrides
from archspec.lang.spec.overrides import recipe_setting, recipe_words
from archspec.lang.spec.spec import Spec, parse
from archspec.plugins import CACHES
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
        return compile_spec(self.spec, self.variant, overrides.split(self.settings)[0], self._budget)

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
        image: str | Path | None = None,
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

    @property
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

    def warnings(self, side: int | None = None) -> list[Diagnostic]:
        """Warnings about settings that are probably mistakes: crops that show a small part of an image.

        Args:
            side: the shortest side of the training images in pixels, where it is known.

        Raises:
            ArchspecError: the errors of the spec.
        """
        from archspec.lang.recipes.crop_share import small_crop

        def where(section: str, *path: str) -> Span | None:
            return overrides.place(self._document(section), (section, *path))

        found = small_crop(self.graph().input_shape, self.recipe, self.protocol, where, side)
        return [] if found is None else [found]

    def unmet(self) -> list[Diagnostic]:
        """The figures of `expect:` that the graph does not meet. Always empty for a network with settings."""
        from archspec.graph.analysis.expect import expectations

        return [] if self.settings else expectations(self.spec, self.variant, self.graph())

    def _section(self, name: str) -> Any:
        return overrides.section(self._document(name), name, overrides.split(self.settings)[1], self.params)

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


@public()
def load(reference: StrPath, /, *, recipe: StrPath | None = None, **settings: Setting) -> Network:
    """Load a network: `load("vgg:D")`, `load("resnet:50", classes=10)`, `load("./my-net.yaml:small")`.

    Args:
        reference: `FAMILY:VARIANT`, `path/to/spec.yaml:VARIANT` or a run directory. The variant may be left out where
            the spec has none or a default.
        recipe: the path of a recipe, or one of `recipes()`, which replaces the recipe of the spec.
        settings: values for the params of the spec, for `input` and, by dotted names, for keys of `train` and
            `evaluate`: `load("vgg:D", **{"train.epochs": 3})`.

    Raises:
        ArchspecError: `unknown-family`, `page-not-found`, `unknown-variant`, `setting`, and syntax errors of the spec.
            Other errors are found when the graph or the recipe is used.
    """
    reference = as_path(reference)
    name, variant = split_reference(reference)
    spec = parse_spec(read_spec(name, variant))
    check_variant(spec, variant or spec.default, name)
    own_recipe = None if recipe is None else read_recipe(as_path(recipe))
    network = Network(spec, reference, variant or spec.default, settings, own_recipe)
    _ = network.params  # raises when there is no such variant or setting
    return network


def as_network(
    network: Network | StrPath,
    settings: Mapping[str, Setting] | None = None,
    *,
    recipe: StrPath | None = None,
    options: Sequence[str] = (),
) -> Network:
    """The network itself, or that of a reference, with further settings.

    Args:
        settings: as for `load`; keys of the recipe need no prefix: `epochs` stands for `train.epochs`.
        recipe: as for `load`.
        options: of the function that was called, for the remedy for a misspelt one.

    Raises:
        ArchspecError: the errors of `load`; `unknown-parameter`.
    """
    if not isinstance(network, Network):
        network = load(network)
    if recipe is not None:
        network = replace(network, own_recipe=read_recipe(as_path(recipe)))
    if not settings:
        return network
    params = [*network.params, "input"]
    given = {}
    for name, value in settings.items():
        full = name if name in params or "." in name else recipe_setting(name)
        if full is None:
            fields = recipe_words()
            near = did_you_mean(name, [*options, *params, *fields])
            message = f"`{name}` is neither an option nor a setting of `{network.spec.name}`"
            help = near or f"its parameters are: {listed(params)}; keys of the recipe are: {listed(fields)}"
            raise fail("unknown-parameter", message, help=help)
        given[full] = value
    network = replace(network, settings={**network.settings, **given})
    _ = network.params
    return network


@public()
def build(reference: StrPath, /, *, recipe: StrPath | None = None, **settings: Setting) -> keras.Model:
    """Build the Keras model of a reference: `build("resnet:50", classes=10)`.

    The same as `load(reference, ...).build()`, with the arguments of `load`. `Network.build` has options for the
    weights.

    Raises:
        ArchspecError: the errors of `load` and of `Network.build`.
    """
    return load(reference, recipe=recipe, **settings).build()


MAX_TOGETHER = 100_000  # layers of all variants of a spec; those that are no copies count more
PER_VARIANT = 100  # what a variant costs besides its layers


@public()
def networks(spec: StrPath) -> Iterator[Network]:
    """All networks of a spec: one for each variant, or one.

    Args:
        spec: the name of a family, or the path of a spec.

    Raises:
        ArchspecError: `unknown-family`, `page-not-found`, syntax errors of the spec, and `too-many-layers` when the
            networks so far expanded to more than 100,000 layers together.
    """
    spec = as_path(spec)
    parsed = parse_spec(read_spec(spec))
    budget = Budget()
    if parsed.variants:
        help = f"choose one variant, such as `{spec}:{next(iter(parsed.variants))}`"
        budget = Budget(MAX_TOGETHER, f"the variants of `{parsed.name}`", help)
    for number, variant in enumerate(parsed.variants or (None,)):
        if budget.left < 0:  # which the network before has reported
            return
        if not budget.spend(PER_VARIANT):
            message = f"the first {number:,} variants of `{parsed.name}` have {MAX_TOGETHER:,} layers together, or more"
            raise fail("too-many-layers", message, help=budget.help)
        yield Network(parsed, f"{spec}:{variant}" if variant else spec, variant, {}, _budget=budget)


@public()
def check(spec: StrPath) -> list[Diagnostic]:
    """Check a spec, all its variants, and the figures it expects. Returns errors and warnings, or an empty list.

    Args:
        spec: the name of a family, the path of a spec, or one variant of them: `vgg:D`.
    """
    spec = as_path(spec)
    name, variant = split_reference(spec)
    found: list[Diagnostic] = []
    try:
        for network in networks(name) if variant is None else [load(spec)]:
            found += [each for each in network.check() if each not in found]
    except ArchspecError as error:
        found += error.diagnostics
    return found


@lru_cache(maxsize=128)
def parse_spec(text: Source) -> Spec:
    """The spec of a text; cached, since specs are immutable."""
    return parse(text)


CACHES.append(parse_spec.cache_clear)
