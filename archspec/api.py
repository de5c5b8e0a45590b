"""What Python and the command line can do: load, check, build, train, evaluate, predict, export.

Nothing here imports keras or tensorflow before a function needs it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from archspec.declare import Declared
from archspec.diagnostics import ArchspecError, Diagnostic, Source, Span, did_you_mean, fail, listed
from archspec.graph.analysis.expect import expectations
from archspec.graph.compile.compiler import compile_spec, parameters
from archspec.graph.ir import Graph
from archspec.graph.select.recipe_targets import check_recipe
from archspec.lang.declarations.one_key import from_one_key
from archspec.lang.document.nodes import MappingNode
from archspec.lang.document.yaml_parser import read_text
from archspec.lang.recipes.crop_share import small_crop
from archspec.lang.recipes.document import parse_recipe
from archspec.lang.recipes.evaluation_recipe import EvaluationRecipe, evaluation_json, evaluation_recipe
from archspec.lang.recipes.recipe import Recipe
from archspec.lang.recipes.recipe import recipe as recipe_of
from archspec.lang.spec import overrides as settings_
from archspec.lang.spec.resolve import resolved_text
from archspec.lang.spec.spec import Spec, parse
from archspec.transforms import TRANSFORMS


@dataclass(frozen=True)
class Network:
    """A page with a variant and settings: what a reference such as `vgg:D` names."""

    spec: Spec = field(repr=False)
    reference: str
    variant: str | None
    settings: Mapping[str, Any]
    own_recipe: MappingNode | None = field(default=None, repr=False)
    """A document with the recipe under `train`, in place of the page's."""

    @property
    def name(self) -> str:
        """`vgg-D`: the name of the Keras model."""
        return f"{self.spec.name}-{self.variant}" if self.variant else self.spec.name

    @cached_property
    def _graph(self) -> Graph:
        return compile_spec(self.spec, self.variant, settings_.split(self.settings)[0])

    def graph(self) -> Graph:
        """The static graph: shapes, weights, MACs, without TensorFlow. Raises ArchspecError."""
        return self._graph

    def build(self, weights: str | Path | None = None, *, init: bool = False) -> Any:
        """One flat `keras.Model`; the layer of path `a/b` is `model.get_layer("a.b")`.

        Args:
            weights: a file or `keras:imagenet`, as `load_weights` takes them; else Keras's own initial ones.
            init: draw the initial weights as the recipe's `init:` says, which `train` does; that takes as long again.

        Raises ArchspecError.
        """
        from archspec.runtime.models.build import build_model

        model = build_model(self.graph())
        if init:
            from archspec.runtime.weights.initializers import initialize

            initialize(model, self.graph(), self.recipe.init)
        if weights is not None:
            from archspec.runtime.weights import load_weights

            load_weights(model, weights, graph=self.graph())
        return model

    @cached_property
    def recipe(self) -> Recipe:
        """`train:`, or the recipe in its place, with its defaults and the settings `train.*`."""
        return recipe_of(self._section("train"), TRANSFORMS)

    @cached_property
    def protocol(self) -> EvaluationRecipe:
        """`evaluate:` with its defaults and the settings `evaluate.*`."""
        return evaluation_recipe(self._section("evaluate"))

    @property
    def preprocess(self) -> tuple[Declared, ...]:
        """What happens to the pixels before the network."""
        return tuple(from_one_key(each, TRANSFORMS) for each in self._section("preprocess"))

    @property
    def params(self) -> dict[str, Any]:
        """The final values of the page's params."""
        return parameters(self.spec, self.variant, settings_.split(self.settings)[0])

    def resolved_text(self) -> str:
        """The page as YAML with the variant chosen and the settings applied; it loads by itself."""
        sections = {name: self._section(name) for name in (*settings_.SECTIONS, "preprocess")}
        given = {name: section for name, section in sections.items() if section}
        return resolved_text(self.spec, self.variant, self.params, given, self.name)

    def check_patterns(self) -> None:
        """Raises ArchspecError where `init`, `freeze` or `rate_multipliers` of the recipe speak of no layer."""
        check_recipe(self.graph(), self.recipe, lambda *path: settings_.place(self.spec.document, ("train", *path)))

    def warnings(self, side: int | None = None) -> list[Diagnostic]:
        """What can be meant as it is, and hardly is: crops that show a small part of an image.

        side: the shortest of the training images, pixels, where it is known. Raises ArchspecError.
        """

        def where(section: str, *path: str) -> Span | None:
            document = self.own_recipe if section == "train" and self.own_recipe else self.spec.document
            return settings_.place(document, (section, *path))

        found = small_crop(self.graph().input_shape, self.recipe, self.protocol, where, side)
        return [] if found is None else [found]

    def unmet(self) -> list[Diagnostic]:
        """What `expect` demands and the graph does not give; nothing is expected of a network with settings."""
        return [] if self.settings else expectations(self.spec, self.variant, self.graph())

    def _section(self, name: str) -> Any:
        document = self.own_recipe if name == "train" and self.own_recipe else self.spec.document
        return settings_.section(document, name, settings_.split(self.settings)[1], self.params)


def load(reference: str, /, *, recipe: str | Path | None = None, **settings: Any) -> Network:
    """The network of `FAMILY:VARIANT` or `path/to/page.yaml:VARIANT`, with settings over the page's params.

    `load("resnet:50", classes=10)`; `input=[64, 64, 3]` is a setting too. `recipe` names a file, or one of `recipes()`,
    in place of the page's `train:`. Raises ArchspecError.
    """
    page, variant = split_reference(reference)
    spec = _parsed(read_spec(page))
    own_recipe = None if recipe is None else read_recipe(str(recipe))
    network = Network(spec, reference, variant or spec.default, settings, own_recipe)
    _ = network.params  # the variant and the settings exist
    return network


def build(reference: str, /, **settings: Any) -> Any:
    """The `keras.Model` of a reference: `archspec.build("resnet:50", classes=10)`. Raises ArchspecError."""
    return load(reference, **settings).build()


def load_weights(model: Any, source: str | Path, *, new_head: bool = False) -> Any:
    """Set the weights of a keras.Model from a file of archspec, Keras or PyTorch, or from `keras:NAME`.

    `new_head` leaves the classifier as it is where that of the file has other classes. Returns what was matched with
    what (`archspec.runtime.weights.Matching`). Raises ArchspecError, and then leaves the model unchanged.
    """
    from archspec.runtime import weights

    return weights.load_weights(model, source, new_head=new_head)


def from_keras(model: Any, *, name: str | None = None) -> str:
    """The page of a functional keras.Model, as text: the reverse of `build`. Raises ArchspecError."""
    from archspec.runtime.from_keras import spec_of

    return spec_of(model, name=name)


@lru_cache(maxsize=128)
def _parsed(text: Source) -> Spec:
    """The page of a text, which is frozen: a process that builds it twice reads it once."""
    return parse(text)


def convolutionalize(model: Any, *, graph: Graph | None = None, output: str = "scores") -> Any:
    """The dense form of a classifier: a keras.Model for images of any size, with the same weights.

    `graph` is that of the page (`network.graph()`); without it the layers are read from the model. `output` is one of
    `scores` and `logits`, maps; `mean_scores` and `softmax_of_mean`, vectors. Raises ArchspecError.
    """
    from archspec.runtime.dense.convert import convolutionalize as dense_form

    return dense_form(model, graph=graph, output=output)


def evaluate(model: str | Path, data: str | None = None, *, protocol: str | None = None, **options: Any) -> Any:
    """The error rates of a model file, a run directory or saved predictions, by a test protocol: `ten-crop`.

    Returns an `archspec.runtime.evaluation.evaluate.Evaluation`; `options` are those of
    `archspec.runtime.evaluation.evaluate.evaluate`.
    Several models and protocols, and ensembles: `archspec.runtime.evaluation.batch_evaluate`. Raises ArchspecError.
    """
    from archspec.runtime.evaluation.evaluate import evaluate

    return evaluate(model, data, protocol=protocol, **options)


def train(network: Network | str, data: str, **options: Any) -> Any:
    """Train a network, or that of a reference, by its recipe, and leave a run directory, as `archspec train` does.

    Returns an `archspec.runtime.training.run_result.RunResult`; `options` are those of
    `archspec.runtime.training.train.train`: `out`,
    `overwrite`, `recipe`, `devices`, `seed`, `validation_split`, `checkpoint_every`, ... Raises ArchspecError.
    """
    from archspec.runtime.training.train import train

    return train(load(network) if isinstance(network, str) else network, data, **options)


def resume(run: str | Path, **options: Any) -> Any:
    """Go on with a run that was killed or interrupted, to the same bits as without that.

    `options` are those of `archspec.runtime.training.train.resume`: `data`, `devices`, `checkpoint_every`, ...
    Returns what `train` does. Raises ArchspecError.
    """
    from archspec.runtime.training.train import resume

    return resume(run, load, **options)


def split_reference(reference: str) -> tuple[str, str | None]:
    """`vgg:D` -> ("vgg", "D"); a path may contain a colon when it exists as it is."""
    page, colon, variant = reference.rpartition(":")
    if not colon or os.path.exists(reference):
        return reference, None
    return page, variant


def read_spec(page: str) -> Source:
    """The text of a shipped family, or of a file when it has a suffix or a folder. Raises ArchspecError."""
    if page in families():
        path = shipped(page)
        return Source(f"specs/{page}.yaml", path.read_text(encoding="utf-8"))
    if Path(page).suffix in (".yaml", ".yml") or "/" in page or os.path.exists(page):
        return read_text(page)
    near = did_you_mean(page, families())
    raise fail(
        "unknown-family",
        f"there is no family `{page}`",
        notes=[] if near else [f"the families are: {listed(families())}"],
        help=near or "a page of your own is named by its path: `./my-net.yaml`",
    )


def read_recipe(recipe: str) -> MappingNode:
    """The document of a shipped recipe, or of a file when it has a suffix or a folder. Raises ArchspecError."""
    if recipe in recipes():
        path = _specs() / "recipes" / f"{recipe}.yaml"
        return parse_recipe(Source(f"specs/recipes/{recipe}.yaml", path.read_text(encoding="utf-8")))
    if Path(recipe).suffix in (".yaml", ".yml") or "/" in recipe or os.path.exists(recipe):
        return parse_recipe(read_text(recipe, "recipe"))
    near = did_you_mean(recipe, recipes())
    raise fail(
        "unknown-recipe",
        f"there is no recipe `{recipe}`",
        notes=[] if near else [f"the recipes are: {listed(recipes())}"],
        help=near or "a recipe of your own is named by its path: `./my-recipe.yaml`",
    )


def recipes() -> list[str]:
    """The names of the shipped recipes."""
    return sorted(path.stem for path in (_specs() / "recipes").glob("*.yaml"))


def families() -> list[str]:
    """The names of the shipped pages."""
    return sorted(path.stem for path in _specs().glob("*.yaml"))


def shipped(family: str) -> Path:
    """The shipped page of a family."""
    return _specs() / f"{family}.yaml"


def _specs() -> Path:
    # importlib.resources finds it as well, and takes longer than to read the page
    return Path(import_module("archspec.specs").__path__[0])


def networks(page: str) -> Iterator[Network]:
    """The networks of a page: one for each variant, or one. Raises ArchspecError when the page is malformed."""
    spec = _parsed(read_spec(page))
    for variant in spec.variants or (None,):
        yield Network(spec, f"{page}:{variant}" if variant else page, variant, {})


def check(page: str) -> list[Diagnostic]:
    """All that is wrong with a page, its variants and what it expects, and what it is warned of; empty when it is fine.

    The `severity` of a warning says so.
    """
    name, only = split_reference(page)
    diagnostics: list[Diagnostic] = []
    try:
        for network in networks(name) if only is None else [load(page)]:
            try:
                found = network.unmet()
                network.graph()
                _ = network.recipe, network.protocol, network.preprocess
                network.check_patterns()
                found += network.warnings()
            except ArchspecError as error:
                found = list(error.diagnostics)
            diagnostics += [each for each in found if each not in diagnostics]
    except ArchspecError as error:
        diagnostics += error.diagnostics
    return diagnostics


def settings_as_text(network: Network) -> dict[str, Any]:
    """Recipe and protocol as plain values, for run directories."""
    return {"recipe": asdict(network.recipe), "protocol": evaluation_json(network.protocol)}
