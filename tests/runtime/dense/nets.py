"""Random small networks in the manner of VGG, as specs: convolutions and poolings, then dense layers or a pooling."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from archspec.api import Network
from archspec.diagnostics import Source
from archspec.graph.ir import Graph
from archspec.lang.spec.spec import parse


@dataclass(frozen=True)
class Net:
    """Windows and strides of its layers along (height, width), and the map (h, w) that they end in."""

    layers: tuple[tuple[str, tuple[int, int], int], ...]
    """conv or maxpool or avgpool, its window, its stride."""
    end: tuple[int, int]
    head: str
    """flatten, global_avgpool or global_maxpool."""
    hidden: bool

    @property
    def stride(self) -> int:
        """Of the network: pixels from one position of the score map to the next."""
        product = 1
        for _, _, stride in self.layers:
            product *= stride
        return product

    def size(self) -> tuple[int, int]:
        """What one position sees where nothing is padded, from the last layer on: (n - 1) s + k."""
        sides = list(self.end)
        for _, window, stride in reversed(self.layers):
            sides = [(side - 1) * stride + k for side, k in zip(sides, window, strict=True)]
        return sides[0], sides[1]

    def spec(self, input_size: tuple[int, int], *, padded: bool = False) -> str:
        """The network on images of that size; padded, all convolutions keep the size of the map."""
        lines = ["name: net", f"input: [{input_size[0]}, {input_size[1]}, 2]", "layers:"]
        for kind, window, stride in self.layers:
            if kind == "conv":
                padding = [[k // 2, (k - 1) // 2] for k in window] if padded else "valid"
                arguments = f"filters: 3, kernel_size: {list(window)}, strides: {stride}, padding: {padding}"
                lines += [f"  - conv: {{{arguments}}}", "  - tanh"]
            else:
                lines.append(f"  - {kind}: {{pool_size: {list(window)}, strides: {stride}}}")
        lines += [f"  - {self.head}", *(["  - dense: 6", "  - relu", "  - dropout: 0.5"] if self.hidden else [])]
        return "\n".join([*lines, "  - dense: 4", "  - softmax", ""])


def graph(text: str) -> Graph:
    """The static graph of a spec without variants."""
    return Network(parse(Source("net.yaml", text)), "net.yaml", None, {}).graph()


@st.composite
def nets(draw: st.DrawFn, *, even: bool = False) -> Net:
    """A network of one to three layers; `even`: whose poolings divide the maps before them, as VGG's do."""
    layers = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["conv", "conv", "maxpool", "avgpool"]))
        if kind == "conv":
            window = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
            layers.append((kind, window, 1 if even else draw(st.integers(1, 2))))
        else:
            stride = draw(st.integers(1, 3))
            side = stride if even else draw(st.integers(stride, 3))
            layers.append((kind, (side, side), stride))
    end = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    head = draw(st.sampled_from(["flatten", "flatten", "global_avgpool", "global_maxpool"]))
    return Net(tuple(layers), end, head, draw(st.booleans()))
