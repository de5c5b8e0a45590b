"""The values of arguments and modifiers in an expansion, with errors that name the enclosing block calls."""

from __future__ import annotations

from typing import Any

from archspec.diagnostics import Span, short
from archspec.graph.compile.builder import Builder
from archspec.graph.compile.parameters import Names
from archspec.lang.document.nodes import Node, ScalarNode, SequenceNode
from archspec.lang.expressions import ExpressionError, bounded, evaluate, is_expression


class Values:
    """Evaluates what layers give to their operators and blocks. Raises ArchspecError where an expression is wrong."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder

    def of(self, node: Node, names: Names) -> Any:
        if isinstance(node, ScalarNode):
            return self.scalar(node, names)
        if isinstance(node, SequenceNode):
            return self._bounded([self.of(item, names) for item in node.items], node.span)
        raise self.builder.error("wrong-type", "an argument cannot be a mapping", node.span)

    def scalar(self, node: ScalarNode, names: Names) -> Any:
        return self.expression(node.value, node.span, names) if is_expression(node.value) else node.value

    def expression(self, text: str, span: Span, names: Names) -> Any:
        self.builder.numbered += "copy" in text or "call" in text
        try:
            return evaluate(text, names)
        except ExpressionError as error:
            raise self.builder.error(error.code, error.message, span, help=error.help) from None

    def _bounded(self, values: list[Any], span: Span) -> list[Any]:
        try:
            return bounded(values)
        except ExpressionError as error:
            raise self.builder.error(error.code, error.message, span) from None

    def count(self, repeat: ScalarNode, names: Names) -> int:
        count = self.scalar(repeat, names)
        if isinstance(count, float) and count.is_integer():
            count = int(count)
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise self.builder.error(
                "wrong-value", f"`repeat` must be an integer of at least 0, but is `{short(count)}`", repeat.span
            )
        return count

    def truth(self, when: ScalarNode, names: Names) -> bool:
        value = self.scalar(when, names)
        if isinstance(value, str):
            help = f"write `true` or `false`: in YAML 1.2 `{value}` is a string"
            words = value in ("yes", "no", "on", "off")
            raise self.builder.error(
                "wrong-type",
                f"`when` must be true or false, but is `{short(value)}`",
                when.span,
                help=help if words else None,
            )
        return bool(value)
