"""The pictures of networks: accuracy against cost, information density, depth by year, cost by depth, speed.

The balls are those of Canziani et al. 2016, arXiv:1605.07678, Figure 2; information density is their Figure 10.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from archspec.comparison.facts import ErrorFigure, NetworkFacts
from archspec.diagnostics import counted
from archspec.drawings import svg
from archspec.drawings.chart import CHART_STYLE, HUES, SIZE, Ball, Chart, ChartAxis, axis_of, labels
from archspec.drawings.drawing import Drawing
from archspec.drawings.font import shortened, text_width
from archspec.format import count, throughput

LARGEST = 46.0
"""Radius of the ball with the most parameters."""
SMALLEST = 3.0
BAR = 300.0
STEP = 21.0
HEIGHT = 14.0
NAME = 240.0
STYLE = (
    f"{CHART_STYLE}.measured{{fill-opacity:.75;stroke-width:1.4}}"
    ".published{fill-opacity:.18;stroke-width:1.4;stroke-dasharray:4 2}"
)
MARKS = (("measured", "measured by archspec"), ("published", "published by others"))

Found = list[tuple[NetworkFacts, ErrorFigure]]


def pictures(networks: Sequence[NetworkFacts]) -> dict[str, Drawing]:
    """File name without suffix -> picture. What needs figures that no network has is left out."""
    found: dict[str, Drawing] = {}
    data = list(dict.fromkeys(figure.data for network in networks for figure in network.figures))
    groups = {name: _with_figures(networks, name) for name in data}
    many = sum(bool(each) for each in groups.values()) > 1
    for name, each in groups.items():
        if each:
            suffix = f"-{_file_word(name)}" if many else ""
            with_macs = [(network, figure) for network, figure in each if network.macs]
            if with_macs:
                found[f"accuracy-and-macs{suffix}"] = accuracy_and_macs(name, with_macs)
            found[f"information-density{suffix}"] = information_density(name, each)
    winners = [(network, figure) for network in networks for figure in network.figures if figure.year]
    if len({network.name for network, _ in winners}) > 1:
        found["revolution-of-depth"] = revolution_of_depth(winners)
    if networks:
        found["cost-by-depth"] = cost_by_depth(networks)
    if any(network.speeds for network in networks):
        found["speed"] = speed(networks)
    return found


def _with_figures(networks: Sequence[NetworkFacts], data: str) -> Found:
    return [(network, figure) for network in networks if (figure := network.figure(data))]


def _file_word(text: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in text.lower()).strip("-")[:60]


def accuracy_and_macs(data: str, found: Found) -> Drawing:
    """Top-1 accuracy against MACs; the area of a ball is in proportion to the number of parameters."""
    macs = [float(network.macs or 0) for network, _ in found]
    accuracies = [figure.accuracy or 0.0 for _, figure in found]
    chart = Chart(
        70,
        62,
        700,
        470,
        axis_of("MACs of one image (logarithmic)", macs, log=True),
        _with_room(axis_of("top-1 accuracy, %", accuracies), LARGEST / 470),
    )
    most = max(network.params for network, _ in found)
    hues = {family: HUES[i % len(HUES)] for i, family in enumerate(dict.fromkeys(_family(n) for n, _ in found))}
    parts, balls = list(chart.frame()), []
    for network, figure in sorted(found, key=lambda each: -each[0].params):
        x, y = chart.at(float(network.macs or 0), figure.accuracy or 0.0)
        radius = max(SMALLEST, LARGEST * math.sqrt(network.params / most))
        hue, params = hues[_family(network)], str(network.params)
        mark = _mark(figure)
        parts.append(svg.element("circle", cx=x, cy=y, r=radius, fill=hue, stroke=hue, class_=mark, data_params=params))
        parts.append(svg.element("circle", cx=x, cy=y, r=1.8, fill=hue))
        balls.append(Ball(x, y, radius, f"{network.name}{_remark(figure)}"))
    parts += labels(balls, chart.left, chart.left + chart.width + 120)
    parts += _legend([figure for _, figure in found], chart.left, 606)
    parts += _sizes(most, chart.left + 380, 616)
    title = f"Accuracy and cost on {data}"
    return Drawing(title, "".join([_title(title), *parts]), 910, 710, STYLE)


def _with_room(axis: ChartAxis, share: float) -> ChartAxis:
    """A longer axis of percentages, so that a ball at an end does not leave the chart."""
    room = (axis.high - axis.low) * share
    return ChartAxis(axis.title, max(axis.low - room, 0.0), axis.high + room)


def _family(network: NetworkFacts) -> str:
    return network.name.rpartition("-")[0] or network.name


def _mark(figure: ErrorFigure) -> str:
    return "measured" if figure.measured else "published"


def _remark(figure: ErrorFigure) -> str:
    """` (ten-crop, mean of 3 runs)`; empty for the usual protocol of one model."""
    means = [figure.source] if figure.source.startswith("mean of") else []
    words = [*([] if figure.protocol == "center" else [figure.protocol]), *means]
    return f" ({', '.join(words)})" if words else ""


def _title(text: str) -> str:
    return svg.text(20, 28, text, SIZE + 3, font_weight="bold")


CENTER = "one crop of the center, unless a protocol is given"


def _legend(figures: Sequence[ErrorFigure], x: float, y: float, note: str = CENTER) -> Iterator[str]:
    """The marks that occur, and a note."""
    for mark, words in MARKS:
        if any(_mark(figure) == mark for figure in figures):
            yield svg.rect(x, y - 10, 12, 12, class_=mark, fill="#57606a", stroke="#57606a")
            yield svg.text(x + 18, y, words, SIZE)
            y += 18
    yield svg.text(x, y + 4, note, SIZE, class_="faint")


def _sizes(most: int, x: float, y: float) -> Iterator[str]:
    """Balls of round numbers of parameters, as in Canziani's legend."""
    power = 10 ** (len(str(most)) - 1)
    rounds = [size for size in (power / 10, power / 2, most // power * power) if size <= most]
    yield svg.text(x, y - 24, "area of a ball: parameters", SIZE, class_="faint")
    for size in rounds:
        radius = max(SMALLEST, LARGEST * math.sqrt(size / most))
        yield svg.element("circle", cx=x + radius, cy=y + 32, r=radius, class_="axis")
        yield svg.text(x + 2 * radius + 5, y + 32 + SIZE * 0.36, count(int(size)), SIZE)
        x += 2 * radius + 62


def information_density(data: str, found: Found) -> Drawing:
    """Accuracy for each million parameters (Canziani et al., Figure 10)."""
    rows = sorted(
        ((network, figure, (figure.accuracy or 0) / (network.params / 1e6)) for network, figure in found),
        key=lambda each: -each[2],
    )
    title = f"Information density on {data}: % of top-1 accuracy for each million parameters"
    bars = []
    for network, figure, density in rows:
        text = f"{density:.3g} ({figure.accuracy:.1f} % / {network.params / 1e6:.3g} M)"
        bars.append((network.name, density, text, _mark(figure)))
    return _bars(title, bars, [figure for _, figure in found])


def _bars(
    title: str, rows: Sequence[tuple[str, float, str, str]], figures: Sequence[ErrorFigure], note: str = ""
) -> Drawing:
    """Horizontal bars: (name, value, text behind the bar, class)."""
    names = [shortened(name, SIZE, NAME) for name, _, _, _ in rows]
    left, top = 30 + max(text_width(name, SIZE) for name in names), 52.0
    most = max(value for _, value, _, _ in rows) or 1.0
    parts = [_title(title)]
    for number, (name, (_, value, text, mark)) in enumerate(zip(names, rows, strict=True)):
        y = top + STEP * number
        parts.append(svg.text(left - 8, y + HEIGHT / 2 + SIZE * 0.36, name, SIZE, text_anchor="end"))
        hue = HUES[0]
        parts.append(svg.rect(left, y, BAR * value / most, HEIGHT, class_=mark, fill=hue, stroke=hue))
        parts.append(svg.text(left + BAR * value / most + 6, y + HEIGHT / 2 + SIZE * 0.36, text, SIZE))
    low = top + STEP * len(rows) + 20
    parts += _legend(figures, left, low) if figures else [svg.text(left, low, note, SIZE, class_="faint")]
    widest = left + BAR + max(text_width(text, SIZE) for _, _, text, _ in rows) + 30
    return Drawing(title, "".join(parts), max(widest, 40 + text_width(title, SIZE + 3, True)), low + 60, STYLE)


def revolution_of_depth(winners: Found) -> Drawing:
    """Top-5 error of a challenge by year as bars, and the depth of the networks as a line (He 2016)."""
    shown = sorted(((network, figure) for network, figure in winners if figure.top5_error is not None), key=_year)
    title = "Revolution of depth: top-5 error of the challenge by year, and weight layers"
    left, top, width, height = 60.0, 70.0, 130.0 * len(shown), 300.0
    most = max(figure.top5_error or 0 for _, figure in shown) * 1.15
    deepest = max(network.depth for network, _ in shown) * 1.15
    parts, points = [_title(title)], []
    for number, (network, figure) in enumerate(shown):
        x = left + 130.0 * number + 65
        high = height * (figure.top5_error or 0) / most
        parts.append(
            svg.rect(x - 32, top + height - high, 64, high, class_=_mark(figure), fill=HUES[0], stroke=HUES[0])
        )
        y = top + height * (1 - network.depth / deepest)
        above = top + height - high - 6
        inside = abs(above - (y - 10)) < SIZE + 3  # where the number of layers is
        at = above + 24 if inside else above
        parts.append(svg.text(x, at, f"{figure.top5_error:g} %", SIZE, text_anchor="middle"))
        parts.append(svg.text(x, top + height + 18, network.name, SIZE, text_anchor="middle"))
        when = f"{figure.data}, {figure.year}"
        parts.append(svg.text(x, top + height + 34, when, SIZE - 1.5, text_anchor="middle", class_="faint"))
        points.append((x, y))
    parts.append(svg.line([(left, top + height), (left + width, top + height)], 0, class_="axis"))
    if len(points) > 1:
        parts.append(svg.line(points, 0, fill="none", stroke=HUES[1], stroke_width=2.0))
    for (x, y), (network, _) in zip(points, shown, strict=True):
        parts.append(svg.element("circle", cx=x, cy=y, r=4.0, fill=HUES[1]))
        parts.append(
            svg.text(x, y - 10, counted(network.depth, "layer"), SIZE, text_anchor="middle", font_weight="bold")
        )
    parts += _legend(
        [figure for _, figure in shown], left, top + height + 64, "as submitted to the challenge: ensembles"
    )
    total = max(left + width + 30, 40 + text_width(title, SIZE + 3, True))
    return Drawing(title, "".join(parts), total, top + height + 112, STYLE)


def _year(each: tuple[NetworkFacts, ErrorFigure]) -> tuple[int, float]:
    return each[1].year or 0, each[1].top5_error or 0.0


def cost_by_depth(networks: Sequence[NetworkFacts]) -> Drawing:
    """Parameters and MACs against the number of weight layers."""
    parts = [_title("Parameters and MACs by depth")]
    costs = {
        "parameters (logarithmic)": [network.params for network in networks],
        "MACs of one image (logarithmic)": [network.macs or 0 for network in networks],
    }
    for place, (title, values) in enumerate(costs.items()):
        shown = [(network, float(cost)) for network, cost in zip(networks, values, strict=True) if cost]
        if not shown:
            continue
        depths = [float(network.depth) for network, _ in shown]
        spread = max(depths) > 4 * min(depths) > 0
        x = axis_of("weight layers" + " (logarithmic)" * spread, depths, log=spread)
        chart = Chart(70.0 + 590 * place, 70, 440, 390, x, axis_of(title, [cost for _, cost in shown], log=True))
        parts += chart.frame()
        balls = []
        for number, (network, cost) in enumerate(shown):
            cx, cy = chart.at(float(network.depth), cost)
            hue = HUES[number % len(HUES)]
            parts.append(svg.element("circle", cx=cx, cy=cy, r=4.5, fill=hue, data_value=f"{cost:.0f}"))
            balls.append(Ball(cx, cy, 4.5, network.name))
        parts += labels(balls, chart.left, chart.left + chart.width + 110)
    return Drawing("Parameters and MACs by depth", "".join(parts), 1230, 520, STYLE)


def speed(networks: Sequence[NetworkFacts]) -> Drawing:
    """Images per second measured here, as a share of the bound of the roofline."""
    rows = []
    for network in networks:
        for each in network.speeds:
            share = each.images_per_second / each.bound
            bound = f"{100 * share:.0f} % of {throughput(each.bound)}"
            text = f"{throughput(each.images_per_second)} images/s, {bound}"
            rows.append((f"{network.name}, batch {each.batch_size}", share, text, "measured"))
    device = next(each.device for network in networks for each in network.speeds)
    note = f"roofline of {device}, forward pass in float32; other processes lower both figures"
    return _bars("Inference on this machine, as a share of its roofline", rows, [], note)
