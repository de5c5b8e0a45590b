"""Static analysis without TensorFlow: summaries, training plans, and the difference of two networks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.api.network import Network, Setting
from archspec.api.references import as_network
from archspec.arguments import PositiveFloat, PositiveInt, StrPath, one_of, public
from archspec.diagnostics import fail

if TYPE_CHECKING:
    from archspec.graph.analysis.summary import Summary
    from archspec.graph.analysis.training_plan import Plan
    from archspec.graph.diff.diff import Difference


@public()
def summarize(network: Network | StrPath, *, depth: PositiveInt | None = None, **settings: Setting) -> Summary:
    """Summarize a network: the shapes, parameters, MACs, memory and receptive field of every layer.

    Args:
        network: a network or a reference.
        depth: fold layers whose paths share their first `depth` components into one row.
        settings: as for `load`: `classes=10`.

    Raises:
        ArchspecError: the errors of `load` and of `Network.graph`.
    """
    from archspec.graph.analysis.summary import Summary

    return Summary(as_network(network, settings, options=["depth"]).graph(), depth)


@public()
def diff(left: Network | StrPath, right: Network | StrPath, **settings: Setting) -> Difference:
    """Compare two networks layer by layer: arguments, shapes, inputs and totals.

    Args:
        left: a network or a reference.
        right: the network or reference to compare it with.
        settings: of both networks, as for `load`.

    Raises:
        ArchspecError: the errors of `load` and of `Network.graph`.
    """
    from archspec.graph.compile.builder import Budget
    from archspec.graph.diff.diff import MAX_TOGETHER, difference

    budget = Budget(MAX_TOGETHER, "the two networks", "compare smaller networks")
    one, other = (replace(as_network(each, settings), _budget=budget) for each in (left, right))
    return difference(one.graph(), other.graph())


@public(memory="give a number of bytes: 80e9 for 80 GB")
def plan(
    network: Network | StrPath,
    *,
    recipe: StrPath | None = None,
    batch_size: PositiveInt | None = None,
    devices: PositiveInt = 1,
    memory: PositiveFloat | None = None,
    device: str | None = None,
    **settings: Setting,
) -> Plan:
    """Plan a training run: whether it fits into memory, and an upper bound on its speed. Allocates nothing.

    Optimizer and precision are those of the recipe.

    Args:
        network: a network or a reference.
        recipe: a recipe that replaces that of the spec, as for `load`.
        batch_size: images in a step over all devices; by default that of the recipe.
        devices: the number of devices.
        memory: memory of a device in bytes; by default that of `device`.
        device: an accelerator by its name, for the roofline: `h100`, one of `accelerators()`.
        settings: as for `load`; keys of the recipe need no prefix: `dtype_policy="mixed_bfloat16"`.

    Raises:
        ArchspecError: the errors of `load` and of `Network.graph`; `free-input` when a size of the input is free.
    """
    from archspec.graph.analysis.training_memory import Precision
    from archspec.graph.analysis.training_plan import DEVICES, plan

    options = ["recipe", "batch_size", "devices", "memory", "device"]
    network = as_network(network, settings, recipe=recipe, options=options)
    graph, used = network.graph(), network.recipe
    found = plan(
        graph,
        batch_size or used.batch_size,
        devices,
        memory,
        None if device is None else DEVICES[one_of("device", device, accelerators())],
        slots=used.optimizer.values_per_weight,
        precision=Precision(used.dtype_policy),
    )
    if found is None:
        raise fail(
            "free-input",
            f"the memory of `{graph.name}` is unknown, since a size of its input is free",
            help="give the size: `--set input=[224,224,3]`",
        )
    return found


def accelerators() -> list[str]:
    """The names of the accelerators that `plan` supports."""
    from archspec.graph.analysis.training_plan import DEVICES

    return list(DEVICES)


def schema() -> str:
    """The JSON Schema (draft-07) of a spec, as text, for editors."""
    from archspec.lang.schema.spec_schema import text

    return text()
