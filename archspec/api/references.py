"""Load the networks of specs by reference, and check specs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from archspec.api.network import Network, Setting
from archspec.api.spec_files import read_recipe, read_spec, split_reference
from archspec.arguments import StrPath, as_path, public
from archspec.diagnostics import ArchspecError, Diagnostic, Source, did_you_mean, fail, listed
from archspec.graph.compile.builder import Budget
from archspec.graph.compile.parameters import check_variant
from archspec.lang.spec.overrides import recipe_setting, recipe_words
from archspec.lang.spec.spec import Spec, parse
from archspec.plugins import CACHES

if TYPE_CHECKING:
    import keras


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
    name, variant = split_reference(spec)
    if variant is not None:
        raise fail("unknown-family", f"`{spec}` is one network, not a family", help=f"`{name}` stands for all networks")
    parsed = parse_spec(read_spec(spec))
    budget = Budget()
    if parsed.variants:
        help = f"choose one variant, such as `{spec}:{next(iter(parsed.variants))}`"
        budget = Budget(MAX_TOGETHER, f"the variants of `{parsed.name}`", help)
    for number, variant in enumerate(parsed.variants or (None,)):
        if budget.left < 0:  # which the network before has reported
            return
        if not budget.spend(PER_VARIANT):
            message = f"`{parsed.name}` has too many variants: the first {number:,} have {MAX_TOGETHER:,} layers in all"
            raise fail("too-many-layers", message, help=budget.help)
        yield Network(parsed, f"{spec}:{variant}" if variant else spec, variant, {}, _budget=budget)


@public()
def check(spec: StrPath) -> list[Diagnostic]:
    """Check a spec, all its variants, and the figures it expects. Returns errors and warnings, or an empty list.

    Args:
        spec: the name of a family, the path of a spec, or one variant of them: `vgg:D`.
    """
    spec = as_path(spec)
    found: list[Diagnostic] = []
    try:
        name, variant = split_reference(spec)
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
