"""The final values of parameters and input. The variant overrides `params`, and settings override both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archspec.diagnostics import Span, did_you_mean, fail, listed, nearest, short
from archspec.lang.document.nodes import plain
from archspec.lang.expressions import names_if_valid, value_of
from archspec.lang.schema.messages import INPUT
from archspec.lang.schema.spec_schema import SECTIONS, spec_schema
from archspec.lang.spec.overrides import normal
from archspec.lang.spec.spec import Spec
from archspec.ops.base import Shape

Names = dict[str, Any]


def parameters(spec: Spec, variant: str | None, settings: Mapping[str, Any]) -> Names:
    """The final values of all parameters, in the order of the spec, and `input` if it is set.

    Raises ArchspecError: unknown-variant, variant-needed, unknown-parameter, parameter-cycle, and errors in
    expressions.
    """
    check_variant(spec, variant)
    if settings:
        _check_known(spec, settings)
    given = {**spec.params, **(spec.variants[variant] if variant else {})}
    given |= {name: normal(name, value) for name, value in settings.items()}
    return _evaluated(spec, variant, given, settings)


def _check_known(spec: Spec, settings: Iterable[str]) -> None:
    """Raises ArchspecError (unknown-parameter)."""
    of_variants = [name for values in spec.variants.values() for name in values]
    known = [*dict.fromkeys([*spec.params, *of_variants, *(["input"] if len(spec.inputs) == 1 else [])])]
    for name in settings:
        if name not in known:
            sections = [f"{section}." for section in SECTIONS]
            raise fail(
                "unknown-parameter",
                f"`{spec.name}` has no parameter `{name}`",
                help=("its inputs have their sizes in the spec" if name == "input" else _elsewhere(name))
                or did_you_mean(name, [*known, *sections])
                or f"its parameters are: {listed(known)}",
            )


def _elsewhere(name: str) -> str | None:
    """The remedy for a key of the recipe or of the spec that is used as a parameter."""
    sections = spec_schema()["properties"]
    if name in sections["train"]["properties"]:
        return f"it is a key of the recipe: `--set train.{name}=...`"
    if name in sections:
        return f"`{name}` is a section of the spec; to change it, edit a copy of the spec"
    return None


def check_variant(spec: Spec, variant: str | None, reference: str | None = None) -> None:
    """Raises ArchspecError: unknown-variant, variant-needed. `reference` is the spec as it can be typed."""
    reference = reference or spec.name
    if variant is None and spec.variants:
        raise fail(
            "variant-needed",
            f"`{spec.name}` has several variants",
            notes=[f"the variants are: {listed(spec.variants)}"],
            help=f"choose one, for example `{reference}:{next(iter(spec.variants))}`",
        )
    if variant is not None and variant not in spec.variants:
        known = f"the variants are: {listed(spec.variants)}" if spec.variants else "this spec has no variants"
        near = nearest(variant, spec.variants)
        raise fail(
            "unknown-variant",
            f"`{spec.name}` has no variant `{variant}`",
            notes=[known] if near else [],
            help=f"did you mean `{reference}:{near}`?" if near else known,
        )


def _evaluated(spec: Spec, variant: str | None, given: Names, settings: Mapping[str, Any]) -> Names:
    """The values, evaluated in the order of their dependencies."""
    reads = {name: [each for each in _reads(value) if each in given] for name, value in given.items()}
    if not any(reads.values()):
        order = list(given)
    else:
        from graphlib import CycleError, TopologicalSorter

        try:
            order = list(TopologicalSorter(reads).static_order())
        except CycleError as error:
            cycle = list(reversed(error.args[1]))
            span = None if cycle[0] in settings else spec.given(cycle[0], variant)
            raise fail(
                "parameter-cycle", f"the parameter `{cycle[0]}` depends on itself: {' -> '.join(cycle)}", span
            ) from None
    names: Names = {}
    for name in order:
        span = None if name in settings else spec.given(name, variant)
        names[name] = value_of(given[name], names, span, f"parameter `{name}`: ")
    return {name: names[name] for name in given}


def _reads(value: Any) -> Sequence[str]:
    return [name for each in value for name in _reads(each)] if isinstance(value, list) else names_if_valid(value)


def input_shapes(spec: Spec, setting: Any, names: Mapping[str, Any]) -> dict[str, tuple[Shape, Span]]:
    """Name -> shape of one sample, and place, of each input; the setting `input` replaces the shape of an only one.

    Raises ArchspecError (input).
    """
    if setting is not None:
        ((name, (_, span)),) = spec.inputs.items()
        return {name: (_shape(setting, None), span)}
    return {
        name: (_shape([value_of(plain(item), names, item.span) for item in node.items], node.span), span)
        for name, (node, span) in spec.inputs.items()
    }


def _shape(sizes: Any, span: Span | None) -> Shape:
    """The sizes as a shape; `span` is None for a setting."""
    several = isinstance(sizes, (list, tuple))
    if several and 1 <= len(sizes) <= 4 and all(size is None or (type(size) is int and size > 0) for size in sizes):
        _refuse_channels_first(sizes, span)
        return tuple(sizes)
    shown = f"[{listed(map(short, sizes))}]" if several else f"`{short(sizes)}`"
    from archspec.lang.schema.foreign import channels_first_meant, input_meant

    meant = input_meant(sizes)
    written = f"[{listed(meant)}]" if span else f"--set input=[{','.join(map(str, meant))}]"
    last = ": the channels come last" if channels_first_meant(sizes, meant) else ""
    help = f"write `{written}`{last}" if meant else INPUT
    raise fail("input", f"`input` must be a list of 1 to 4 positive integers, but is {shown}", span, help=help)


def _refuse_channels_first(sizes: Sequence[int | None], span: Span | None) -> None:
    """Raises ArchspecError (input) for (3, N, N) and (1, N, N), which would be N channels of N columns.

    Also for a batch axis before them, (32, 3, N, N), and for (1, N, N, 3), which would be volumes.
    """
    if not {1, 3} & {*sizes[:2]}:
        return
    from archspec.lang.schema.channel_order import has_channels_first  # few inputs need it

    image, fact = sizes, "with the channels first; in archspec they are last"
    if len(sizes) == 4 and (has_channels_first(sizes[1:]) or (sizes[0] == 1 and has_channels_first(sizes[:0:-1]))):
        image, fact = sizes[1:], "whose first size is that of a batch; `input` is the shape of one sample"
    elif not has_channels_first(sizes):
        return
    meant = [*image[1:], image[0]] if has_channels_first(image) else image
    last = f"[{listed(meant)}]"
    raise fail(
        "input",
        f"`input` is [{listed('~' if size is None else size for size in sizes)}], {fact}",
        span,
        help=f"write `{last}`" if span else f"write `--set input={last.replace(' ', '')}`",
    )
