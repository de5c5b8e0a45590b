"""The layers of a `residual`: a body, its shortcut and their sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.diagnostics import did_you_mean, listed, short
from archspec.graph.compile.builder import Scope
from archspec.graph.compile.parameters import Names
from archspec.graph.compile.shortcut import pad, same_shape
from archspec.lang.document.nodes import MappingNode
from archspec.lang.schema.structures import SHORTCUTS
from archspec.lang.spec.layer_spec import LayerSpec

if TYPE_CHECKING:
    from archspec.graph.compile.compiler import Compiler


def residual(compiler: Compiler, item: LayerSpec, x: int, names: Names, scope: Scope) -> int:
    """body + shortcut (He et al. 2016, section 3.3); options A, B and C are `pad`, `project`, `project_all`."""
    builder, project = compiler.builder, item.branches.get("project")
    assert isinstance(item.value, MappingNode)
    node = item.value.get("shortcut")
    kind = compiler.values.of(node, names) if node else "project" if project is not None else "identity"
    at = node.span if node else item.span
    if kind not in SHORTCUTS:
        help = did_you_mean(short(kind), SHORTCUTS) or f"choose one of: {listed(SHORTCUTS)}"
        raise builder.error("wrong-value", f"`shortcut` cannot be `{short(kind)}`", at, help=help)
    body = compiler.layers(item.branches["body"], (x,), names, scope)
    same = same_shape(builder, x, body)
    if kind == "none" or (kind == "if_same_shape" and not same):
        return body
    if kind == "project_all" or (kind == "project" and not same):
        if project is None:
            raise builder.error(
                "missing-key",
                f"`shortcut: {kind}` needs `project`",
                at,
                help="add `project:` with the layers of the shortcut",
            )
        x = compiler.layers(project, (x,), names, scope.inner(scope.claim("project", item.span)))
    elif kind == "pad" and not same:
        x = pad(builder, x, body, scope.inner(scope.claim("shortcut", item.span)), item.span)
    path = scope.claim("add", item.span)
    return builder.add("add", {}, (x, body), path, item.span, residual=True, project=project is not None)
