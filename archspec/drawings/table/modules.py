"""A network of Inception modules, one row for each module, as in Table 1 of GoogLeNet (Szegedy et al. 2014)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archspec.drawings.components import (
    CONVOLUTIONS,
    GLOBAL_POOLS,
    POOLS,
    Component,
    TableColumn,
    components,
    extent,
    full,
    hidden,
    is_shown,
    kernel,
    stride,
)
from archspec.drawings.table.model import Cell, PaperTable, cell
from archspec.format import count
from archspec.graph.ir import Graph, Node, total

BEFORE = ("type", "patch size/stride", "output size", "depth")
AFTER = ("params", "ops")
PASS_THROUGH = "max + pass through"
SHOWN = ("conv", "separable_conv", *POOLS, *GLOBAL_POOLS, "concat", "dense", "dropout", "softmax")


@dataclass
class Row:
    """A row: `widths` are the output channels of the convolutions by the heading of their column."""

    kind: str
    patch: str
    nodes: list[Node]
    depth: int = 0
    widths: dict[str, str] = field(default_factory=dict)


def modules(title: str, column: TableColumn) -> PaperTable | None:
    """The table of a network; None if it has fewer than two modules, or modules of another form."""
    graph = column.graph
    rows: list[Row] = []
    for component in components(graph):
        module = _module(graph, component)
        if module:
            rows.append(module)
        elif any(node.op.name == "concat" for node in component.nodes):
            return None
        else:
            _add_layers(graph, rows, component)
    if sum("module" in row.widths for row in rows) < 2:
        return None
    headings = _ordered({name for row in rows for name in row.widths if name != "module"})
    pools = [row.widths["pool proj"] for row in rows if "pool proj" in row.widths]
    if all(text.startswith("max + ") and text != PASS_THROUGH for text in pools):
        for row in rows:
            row.widths = {name: text.removeprefix("max + ") for name, text in row.widths.items()}
    top = tuple(cell(text, heading=True) for text in (*BEFORE, *headings, *AFTER))
    notes = ["params: parameters of the layers; ops: their multiply-adds for one image (MACs).", hidden([graph], SHOWN)]
    return PaperTable(title, (top, *(_cells(row, headings) for row in rows)), tuple(filter(None, notes)))


def _cells(row: Row, headings: Sequence[str]) -> tuple[Cell, ...]:
    params = sum(node.facts.params for node in row.nodes)
    macs = total(node.facts.macs for node in row.nodes)
    texts = [row.kind, row.patch, full(row.nodes[-1].shape), str(row.depth)]
    texts += [row.widths.get(name, "") for name in headings]
    texts += [count(params) if params else "", count(macs) if macs or macs is None else ""]
    return tuple(map(cell, texts))


def _ordered(names: set[str]) -> list[str]:
    """1×1, then each window with its reduction, then the pool."""

    def key(name: str) -> tuple[int, bool, str, bool]:
        place = 0 if "squeeze" in name else 1 if name == "#1×1" else 3 if "pool" in name else 2
        return place, "double" in name, name.removesuffix(" reduce"), not name.endswith(" reduce")

    return sorted(names, key=key)


def _add_layers(graph: Graph, rows: list[Row], component: Component) -> None:
    """A row for each layer; a 1×1 convolution before a larger one is its reduction, in the same row."""
    for node in component.nodes:
        name = node.op.name
        last = rows[-1] if rows else None
        if name in CONVOLUTIONS:
            heading = f"#{kernel(node)}"
            if last and list(last.widths) == ["#1×1"] and heading != "#1×1" and last.patch == "1×1/1":
                last.widths = {f"{heading} reduce": last.widths["#1×1"], heading: str(node.shape[-1])}
                last.patch = f"{kernel(node)}/{stride(node)}"
                last.nodes.append(node)
                last.depth = 2
            else:
                widths = {heading: str(node.shape[-1])}
                rows.append(Row("convolution", f"{kernel(node)}/{stride(node)}", [node], 1, widths))
        elif name in POOLS:
            rows.append(Row(_words(node), f"{kernel(node)}/{stride(node)}", [node]))
        elif name in GLOBAL_POOLS:
            (read,) = graph.shapes_into(node)
            rows.append(Row(_words(node), f"{extent(read)}/1", [node]))
        elif name in SHOWN:
            rows.append(Row(_words(node), "", [node], int(name == "dense")))
        elif last:
            last.nodes.append(node)
    for row in rows:  # the columns are about branches and reductions: the width of a single layer is its output size
        if row.depth == 1 and "module" not in row.widths:
            row.widths = row.widths if row.patch == "1×1/1" else {}


def _words(node: Node) -> str:
    name = node.op.name
    if name == "dropout":
        return f"dropout ({100 * getattr(node.op, 'rate', 0):g}%)"
    return {
        "maxpool": "max pool",
        "avgpool": "avg pool",
        "global_avgpool": "avg pool",
        "global_maxpool": "max pool",
        "dense": "linear",
    }.get(name, name)


def _module(graph: Graph, component: Component) -> Row | None:
    """The row of a component that ends in the concatenation of branches from one layer, if its branches fit columns."""
    merges = [node for node in component.nodes if node.op.name == "concat"]
    if len(merges) != 1 or component.repeated:
        return None
    paths = {node.path for node in component.nodes}
    readers = Counter(i for node in component.nodes for i in node.inputs)
    shared = [node for node in component.nodes if is_shown(node)]
    row = Row(_kind(component), "", list(component.nodes), 0, {"module": ""})
    steps: set[str] = set()
    for index in merges[0].inputs:
        chain = list(_chain(graph, index, paths, readers))
        found = _branch([node for node in chain if is_shown(node)])
        if found is None or found.keys() & row.widths.keys():
            return None
        row.widths.update(found)
        row.depth = max(row.depth, sum(node.op.name in CONVOLUTIONS for node in chain))
        steps.update(stride(node) for node in chain if node.op.name in (*CONVOLUTIONS, *POOLS))
        shared = [node for node in shared if node not in chain]
    if shared:
        if len(shared) > 1 or shared[0].op.name != "conv":
            return None
        row.widths[f"#{kernel(shared[0])} squeeze"] = str(shared[0].shape[-1])
        row.depth += 1
    row.patch = f"stride {max(steps)}" if steps > {"1"} else ""
    return row


def _kind(component: Component) -> str:
    """`inception (3a)`."""
    words = component.nodes[-1].path.split("/")
    return f"{words[1]} ({component.name})" if len(words) > 2 else component.name


def _chain(graph: Graph, index: int, paths: set[str], readers: Counter[int]) -> Iterator[Node]:
    """The layers of a branch after the layer at which the branches part, the first one first."""
    chain: list[Node] = []
    while graph.nodes[index].path in paths and readers[index] == 1:
        node = graph.nodes[index]
        chain.append(node)
        if len(node.inputs) != 1:
            break
        index = node.inputs[0]
    yield from reversed(chain)


def _branch(chain: Sequence[Node]) -> dict[str, str] | None:
    """Heading -> channels of the convolutions of a branch; None if the branch has another form."""
    names = [node.op.name for node in chain]
    kernels = [kernel(node) for node in chain]
    width = [str(node.shape[-1]) for node in chain]
    if names[:1] in (["maxpool"], ["avgpool"]) and names[1:] in ([], ["conv"]):
        kind = "max" if names[0] == "maxpool" else "avg"
        return {"pool proj": f"{kind} + {width[1] if len(chain) == 2 else 'pass through'}"}
    if any(name != "conv" for name in names) or not names or (len(names) > 1 and kernels[0] != "1×1"):
        return None
    if len(chain) == 1:
        return {f"#{kernels[0]}": width[0]}
    if len(chain) == 2:
        return {f"#{kernels[1]} reduce": width[0], f"#{kernels[1]}": width[1]}
    if len(chain) == 3 and kernels[1] == kernels[2] and width[1] == width[2]:
        return {f"#double {kernels[1]} reduce": width[0], f"#double {kernels[1]}": width[1]}
    return None
