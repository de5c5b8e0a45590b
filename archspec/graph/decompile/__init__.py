"""Graph -> spec: the reverse of compiling. Repeated layers become blocks and `repeat`.

Each spec is compiled again before it is returned, to check that it gives the same network. Imports `graph.compile` and
`graph.diff`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archspec.diagnostics import ArchspecError, Source, fail
from archspec.graph.compile.compiler import compile_spec
from archspec.graph.decompile.blocks import Blocks
from archspec.graph.decompile.draft import Structure
from archspec.graph.decompile.names import name_classes, name_stages
from archspec.graph.decompile.writer import SpecDraft, written
from archspec.graph.diff.isomorphism import same_network
from archspec.graph.ir import Graph
from archspec.lang.spec.spec import parse


@dataclass(frozen=True)
class Decompiled:
    """A decompiled spec, and the mapping from the nodes of the original graph to its layers."""

    text: str
    graph: Graph
    """Of the spec."""
    nodes: Mapping[int, int]
    """From nodes of the given graph to those of the spec."""


def decompile(graph: Graph, name: str, source: str) -> Decompiled:
    """Write a spec for a network; `source` is the comment at its top.

    Raises ArchspecError (decompile) if no spec was found for the network, which is a bug.
    """
    found = attempt(graph, name, source) or attempt(graph, name, source, blocks=False)
    if found is None:
        raise fail(
            "decompile", f"cannot write a spec that compiles to `{graph.name}`", help="please report this network"
        )
    return found


def attempt(graph: Graph, name: str, source: str, *, blocks: bool = True) -> Decompiled | None:
    """The spec with or without blocks; None if it does not compile to the same network (a bug)."""
    spec = SpecDraft(name, source, graph, [], Structure(graph).items())
    if blocks:
        found = Blocks(spec.items, frozenset(graph.outputs if graph.declares_outputs else ()))
        found.find()
        spec.blocks = found.blocks
    name_stages(spec.items, {block.name for block in spec.blocks})
    name_classes(spec)
    text = written(spec)
    try:
        compiled = compile_spec(parse(Source(f"{name}.yaml", text)))
    except ArchspecError:
        return None
    nodes = same_network(graph, compiled)
    return None if nodes is None else Decompiled(text, compiled, nodes)
