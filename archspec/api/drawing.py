"""Drawings of networks, without TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archspec.api.choices import Direction, Figure
from archspec.api.network import Network, Setting
from archspec.api.references import as_network, load, networks, parse_spec
from archspec.api.spec_files import split_reference
from archspec.arguments import PositiveInt, StrPath, as_path, public
from archspec.diagnostics import Source, fail

if TYPE_CHECKING:
    from archspec.drawings.drawing import Drawing
    from archspec.drawings.styles import Caption

OPTIONS = ("style", "depth", "unfold", "direction", "show", "log", "layer", "image")


@public()
def draw(
    *references: Network | StrPath,
    style: str = "graph",
    depth: PositiveInt | None = None,
    unfold: bool | None = None,
    direction: Direction | None = None,
    show: Sequence[Figure] | None = None,
    log: bool | None = None,
    layer: str | None = None,
    image: StrPath | None = None,
    **settings: Setting,
) -> Drawing:
    """Draw networks: `draw("resnet:152").save("resnet.svg")`. A notebook shows the drawing.

    Args:
        references: networks or references, as for `load`, or `.keras` files of any functional model.
        style: `graph` draws the layers and their edges, `table` the table of the paper; a family without a variant
            stands for all its variants there. `volumes` draws feature maps to scale, as in the figures of LeNet and
            AlexNet, and `columns` networks side by side, as in that of ResNet. `receptive-field` shows what units see
            of the image, `cost` the parameters, MACs and memory of each stage.
        depth: of `cost`: fold layers whose paths share their first `depth` components, as `summarize` does. Of `graph`:
            draw a block whose path has `depth` components as one box; by default the drawing shows as
            much as fits a page.
        unfold: of `graph`: draw every copy of a repeated block. With `depth` left out, draw every layer.
        direction: of `graph`: from the input `down` to the output, or to the `right`.
        show: of `graph`: figures in the boxes, `params` and `macs`.
        log: of `volumes`: sizes in proportion to their logarithms.
        layer: of `receptive-field`: show this layer or block alone, by its path.
        image: of `receptive-field`: the file of an image to draw the windows on; by default a grid.
        settings: as for `load`: `classes=10`.

    Raises:
        ArchspecError: the errors of `load` and of `Network.graph`; `unknown-style`; `draw-option` for an option that
            the style does not have.
    """
    from archspec.drawings.styles import draw, find_style

    if not references:
        raise fail("draw-option", "there is no network to draw", help='name one: `archspec.draw("vgg:D")`')
    every = find_style(style).variants
    found = [each for reference in references for each in _networks(reference, every, settings)]
    options = {
        "depth": depth,
        "unfold": unfold or None,
        "direction": direction,
        "show": show,
        "log": log or None,
        "layer": layer,
        "image": image,
    }
    return draw(style, [network.graph() for network in found], options, [_caption(network) for network in found])


def _caption(network: Network) -> Caption:
    from archspec.drawings.styles import Caption

    spec = network.spec
    names = tuple(layer.name.text for layer in spec.layers if layer.name)
    default = network.variant is not None and network.variant == spec.default
    return Caption(spec.name, network.variant, default, names)


def drawing_styles() -> list[tuple[str, str]]:
    """The styles of `draw`, each with a sentence on it."""
    from archspec.drawings.styles import STYLES

    return [(name, style.description) for name, style in STYLES.items()]


def drawing_suffixes(style: str) -> tuple[str, ...]:
    """The suffixes of the files that a style can write.

    Raises:
        ArchspecError: `unknown-style`.
    """
    from archspec.drawings.styles import find_style

    return find_style(style).suffixes


def _networks(reference: Network | StrPath, every: bool, settings: dict[str, Setting]) -> list[Network]:
    """The network of a reference, or all networks of a family without a variant."""
    if isinstance(reference, Network):
        return [as_network(reference, settings, options=OPTIONS)]
    name = as_path(reference)
    if name.endswith(".keras") or name.startswith("keras:"):
        return [as_network(_of_keras(name), settings, options=OPTIONS)]
    spec, variant = split_reference(name)
    if every and variant is None:
        return [as_network(each, settings, options=OPTIONS) for each in networks(spec)]
    return [as_network(load(name), settings, options=OPTIONS)]


def _of_keras(source: str) -> Network:
    """The network of a Keras model."""
    from archspec.api.models import from_keras

    spec = parse_spec(Source(source, from_keras(source)))
    return Network(spec, source, None, {})
