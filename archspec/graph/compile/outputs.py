"""The outputs of a network: those that the spec names, and layers that lead to none of them."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.diagnostics import ArchspecError, Diagnostic, did_you_mean, listed
from archspec.graph.compile.builder import Builder
from archspec.graph.ir import INPUT
from archspec.lang.schema.validator import MAX_MISTAKES
from archspec.lang.spec.spec import Spec


def outputs_of(builder: Builder, spec: Spec, last: int) -> list[tuple[int, float, str]]:
    """The nodes of the outputs, the main one first, with the weights of their losses and their names.

    `last`: the output of a spec that names none.

    Raises ArchspecError (unknown-layer).
    """
    declared = spec.outputs()
    if declared is None:
        return [(last, 1.0, "")]
    # such as auxiliary classifiers
    left_out = {item.name.text for item in spec.layers if item.when is not None and item.name}
    found: list[tuple[int, float, str]] = []
    for word, name, weight, span in declared:
        if name in builder.outputs:
            found.append((builder.outputs[name], weight, word))
        elif not found or name not in left_out:
            names = [path for path in builder.outputs if "/" not in path and path != INPUT]
            help = did_you_mean(name, builder.outputs) or f"the layers are: {listed(names[-12:])}"
            if name in left_out:
                help = "the first output must be a layer that `when` does not leave out"
                raise builder.error("unknown-layer", f"the layer `{name}` is left out of this network", span, help=help)
            raise builder.error("unknown-layer", f"there is no layer `{name}`", span, help=help)
    return found


def refuse_unused(builder: Builder, outputs: Iterable[int]) -> None:
    """Raises ArchspecError (unused-layer) for layers that lead to no output."""
    read = set(outputs).union(*[node.inputs for node in builder.nodes])
    if len(read) == len(builder.nodes):
        return
    help = "read it with `from`, list it under `outputs`, or remove it"
    of_call = "read it with `from`, or let `when` leave it out in this call of the block"
    # an output of a block call has a second path: `stage/2/low` of `stage/2/exchange/low`
    ends = {index: f"/{builder.nodes[index].path.rpartition('/')[2]}" for index in range(len(builder.nodes))}
    paths = builder.outputs.items()
    of_calls = {i for path, i in paths if path != builder.nodes[i].path and path.endswith(ends[i])}
    wrong: dict[Diagnostic, None] = {}
    for index in sorted({*range(len(builder.nodes))} - read):
        node = builder.nodes[index]
        input_ = f"the input `{node.path}`" if builder.input_count > 1 else "the input of the network"
        what = input_ if index < builder.input_count else f"the output of `{node.path}`"
        error = builder.error(
            "unused-layer", f"nothing reads {what}", node.span, help=of_call if index in of_calls else help
        )
        wrong[error.diagnostics[0]] = None
    raise ArchspecError(*list(wrong)[:MAX_MISTAKES])
