"""The sections of the page about the run itself: data, network, recipe, environment, and how to reproduce it."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from archspec.drawings.font import FAMILY
from archspec.drawings.svg import element, number
from archspec.runtime.run_report.content import ReportContent
from archspec.runtime.run_report.markup import Markup, definitions, join, picture, prose, table, tag
from archspec.runtime.run_report.sections import SHOWN

BARS = 30
"""Most classes whose numbers of images are drawn as bars."""


def data(content: ReportContent) -> Iterator[Markup]:
    """The data of the run."""
    summary = content.data
    yield tag("p", tag("code", summary.source), f", {summary.labels}.")
    rows = [[part.name, f"{part.images:,}", _spread(part.class_counts)] for part in summary.parts]
    yield table(["part", "images", "images of a class"], rows, ["images"])
    uneven = any(part.class_counts and len(set(part.class_counts)) > 1 for part in summary.parts)
    if len(summary.class_names) <= BARS and uneven:
        yield _class_bars(content)
    if summary.preprocessing:
        yield tag("h3", "From the image to the network")
        yield tag("ul", *(tag("li", prose(each)) for each in summary.preprocessing))
    yield tag("h3", "Augmentation")
    if summary.augmentation:
        yield tag("ol", *(tag("li", prose(each)) for each in summary.augmentation))
    else:
        yield tag("p", "The training images are not augmented.")
    if summary.samples:
        yield _samples(content)


def _spread(counts: tuple[int, ...] | None) -> str:
    if not counts:
        return "not known"
    if min(counts) == max(counts):
        return f"{counts[0]:,}"
    return f"{min(counts):,} to {max(counts):,}, median {median(counts):,.0f}"


def _class_bars(content: ReportContent) -> Markup:
    most = max(count for part in content.data.parts for count in part.class_counts or (0,)) or 1
    headings, columns = ["class"], []
    for part in content.data.parts:
        if part.class_counts:
            headings.append(f"{part.name} images")
            columns.append(part.class_counts)
    rows = []
    for place, name in enumerate(content.data.class_names):
        bars = (
            tag("span", f"{column[place]:,}", class_="bar", style=f"--share:{100 * column[place] / most:.0f}%")
            for column in columns
        )
        rows.append([name, *bars])
    return table(headings, rows, headings[1:], class_="sortable counts")


def _samples(content: ReportContent) -> Markup:
    views = len(content.data.samples[0].views)
    headings = [tag("th", "class", scope="col"), tag("th", "as in evaluation", scope="col")]
    headings += [tag("th", f"epoch {place}", scope="col") for place in range(1, views)]
    rows = []
    for row in content.data.samples:
        cells = [
            tag("td", picture(photo, f"{row.class_name}, {'evaluation' if not place else f'epoch {place}'}", SHOWN))
            for place, photo in enumerate(row.views)
        ]
        rows.append(tag("tr", tag("th", row.class_name, scope="row"), *cells))
    whole = tag("table", tag("thead", tag("tr", *headings)), tag("tbody", *rows), class_="samples")
    return tag("div", tag("h3", "Training images, as in evaluation and as augmented"), tag("div", whole, class_="wide"))


def network(content: ReportContent) -> Iterator[Markup]:
    """The drawing of the network."""
    if content.summary:
        yield tag("div", tag("pre", content.summary), class_="wide")
    drawing = content.drawing
    if drawing is None:
        return
    svg = element(
        "svg",
        drawing.content,
        viewBox=f"0 0 {number(drawing.width)} {number(drawing.height)}",
        width=drawing.width,
        height=drawing.height,
        class_="drawing",
        role="img",
        aria_label=f"Drawing of {content.network}",
        font_family=FAMILY,
    )
    yield tag("div", Markup(svg), class_="canvas", tabindex="0", role="region", aria_label="Drawing of the network")
    command = f"archspec draw {content.directory / 'spec.yaml'} -o network.html"
    yield tag("p", "Every layer, to fold and search: ", tag("code", command), class_="faint")


def recipe(content: ReportContent) -> Iterator[Markup]:
    """The recipe in words, and every setting."""
    yield tag("ul", *(tag("li", prose(each)) for each in content.recipe))
    settings = table(["setting", "value"], ([tag("code", name), value] for name, value in content.settings.items()))
    yield tag("details", tag("summary", "All settings"), settings)


def environment(content: ReportContent) -> Iterator[Markup]:
    """Versions and hardware."""
    yield definitions(content.environment.items(), class_="facts small")


def reproduce(content: ReportContent) -> Iterator[Markup]:
    """The commands, the seed and the fingerprints."""
    commands = content.commands
    yield tag("p", "Train again, evaluate, and write this report:")
    yield tag("pre", f"{commands.train}\n{commands.evaluate}\n{commands.report}", class_="commands")
    yield tag("ul", *(tag("li", prose(each)) for each in commands.caveats))
    rows = [[part.name, f"{part.images:,}", part.of, tag("code", part.sha256)] for part in content.data.parts]
    yield tag(
        "p", f"Seed {content.record['seed']}. Fingerprints of the data (SHA-256 of classes, labels and contents):"
    )
    yield table(["part", "images", "of", "fingerprint"], rows, ["images"])
    if content.spec:
        yield tag("details", tag("summary", "spec.yaml"), tag("pre", content.spec))


def sections(content: ReportContent) -> Iterator[tuple[str, str, Markup]]:
    """(anchor, title, HTML) of each section about the run."""
    yield "data", "Data", join(data(content))
    yield "network", "Network", join(network(content))
    yield "recipe", "Recipe", join(recipe(content))
    yield "environment", "Environment", join(environment(content))
    yield "reproduce", "Reproduce", join(reproduce(content))
