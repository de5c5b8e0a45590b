"""Which blocks a drawing opens: by depth, or as many as fit a page."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.drawings.graph.tree import Block


@dataclass(frozen=True)
class BlockView:
    """Says for each block whether it is drawn as a box, open, or, for a repeat, with every copy."""

    depth: int | None = None
    """Blocks whose paths have so many components are boxes."""
    unfold: bool = False
    """Draw every copy of a repeat."""
    only: frozenset[int] | None = None
    """The ids of the blocks to open; None to open all."""

    def is_open(self, block: Block) -> bool:
        """Whether the children of a block are drawn."""
        if block.is_layer or (self.depth is not None and block.depth >= self.depth):
            return False
        if block.is_repeat and self.depth is not None and block.children[0].depth >= self.depth and not self.unfold:
            return False
        return self.only is None or block.is_stack or id(block) in self.only

    def copies(self, block: Block) -> str:
        """The view of an open block: `all` its children, or the `first` copy of a repeat."""
        return "first" if block.is_repeat and not self.unfold else "all"


def firsts(root: Block) -> list[Block]:
    """The blocks to open so that each kind of block is open once: outer blocks first, in the order of the layers.

    A branch that ends, such as an auxiliary classifier, stays closed.
    """
    kinds: set[int] = set()
    found: list[tuple[int, Block]] = []

    def visit(block: Block, level: int) -> None:
        found.append((level, block))
        children = block.body("first") if block.is_repeat else block.children
        for child in children:
            ends = not child.outputs and child is not children[-1]
            if not child.is_layer and not child.is_stack and not ends and child.kind not in kinds:
                kinds.add(child.kind)
                visit(child, level + 1)

    visit(root, 0)
    return [block for _, block in sorted(found, key=lambda each: each[0])]
