"""The sections of the page about the result: metrics, curves, confusion matrix, classes, and images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from archspec.diagnostics import counted
from archspec.format import throughput
from archspec.runtime.evaluation.outputs import evaluation_table, table_note
from archspec.runtime.evaluation.result import ErrorRate, Evaluation
from archspec.runtime.run_report.confusion import confusion_json, largest_confusions
from archspec.runtime.run_report.content import HardImage, ReportContent
from archspec.runtime.run_report.curves import curve_panels
from archspec.runtime.run_report.markup import Markup, join, picture, prose, table, tag

SHOWN = 96
"""CSS pixels of the side at which small images are shown."""


def embedded_json(name: str, data: Any) -> Markup:
    """Data for the scripts of the page."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(f'<script type="application/json" id="{name}">{text.replace("<", chr(92) + "u003c")}</script>')


def percent(share: float) -> str:
    """`12.34 %`."""
    return f"{100 * share:.2f} %"


def rate_cells(rate: ErrorRate | None) -> tuple[str, str]:
    """The rate and its interval."""
    if rate is None or rate.rate is None:
        return "", ""
    low, high = rate.interval
    return percent(rate.rate), f"{100 * low:.2f} to {100 * high:.2f} %"


CONFUSION_HEADINGS = ["true class", "predicted", "images", "of the class"]


def confusion_rows(evaluation: Evaluation) -> list[list[str]]:
    """The largest confusions."""
    return [
        [true, predicted, f"{images:,}", percent(images / total)]
        for true, predicted, images, total in largest_confusions(evaluation)
    ]


def class_cells(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of classes.csv as text: of classes, labels or numbers."""
    headings, rows = evaluation.class_table()
    kept = [place for place in range(len(headings)) if any(row[place] is not None for row in rows)]
    headings, rows = [headings[place] for place in kept], [[row[place] for place in kept] for row in rows]
    cells = [
        ["" if cell is None else f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in rows
    ]
    return [heading.replace("_", " ") for heading in headings], cells


def metrics(content: ReportContent) -> Iterator[Markup]:
    """The metrics of each protocol."""
    if not content.evaluations:
        yield tag("p", "There is no evaluation; the figures above are those of training.")
        return
    yield tag("p", "Evaluated: ", prose(content.evaluated))
    note = table_note(content.evaluations).replace("In parentheses:", "Intervals:")
    if any(each.kind != "classes" or each.output for each in content.evaluations):
        headings, cells, numbers = evaluation_table(content.evaluations)
        yield table(headings, cells, numbers, class_="sortable")
        yield tag("p", note, class_="faint")
        return
    rows = []
    for each in content.evaluations:
        speed = "" if each.images_per_second is None else throughput(each.images_per_second)
        top1, top5 = rate_cells(each.top1_error), rate_cells(each.top5_error)
        start = [tag("code", each.protocol), f"{each.images:,}", each.scales, f"{each.passes:,}"]
        rows.append([*start, *top1, *top5, f"{each.loss:.4f}", speed])
    headings = ["protocol", "images", "Q", "passes", "top-1 error", "95 % interval", "top-5 error", "95 % interval "]
    headings += ["loss", "images/s"]
    if all(each.top5_error is None for each in content.evaluations):
        rows = [[*row[:6], *row[8:]] for row in rows]
        headings = [*headings[:6], *headings[8:]]
    yield table(headings, rows, set(headings) - {"protocol", "Q"}, class_="sortable")
    yield tag("p", note, class_="faint")


def curves(content: ReportContent) -> Iterator[Markup]:
    """The learning curves."""
    found = curve_panels(content.history, content.loss, (content.record.get("best") or {}).get("epoch"))
    if not found:
        yield tag("p", "No epoch is finished, so there are no curves.")
        return
    figures = []
    for svg, data in found:
        keys = (
            tag("span", tag("i", style=f"background:{key['hue']}"), key["name"], " ", tag("b"), class_="key")
            for key in data["keys"]
        )
        figures.append(tag("figure", Markup(svg), tag("figcaption", *keys, tag("span", class_="at"))))
    yield tag("div", *figures, class_="curves")
    last, best = content.history[-1], content.record.get("best")
    words = f"The circle marks epoch {best['epoch']}, the best one, whose network is best.keras. " if best else ""
    yield tag(
        "p", f"{words}{counted(len(content.history), 'epoch')}; the last learning rate is {last['learning_rate']:.3g}."
    )
    yield embedded_json("curve-data", [data for _, data in found])


def confusion(content: ReportContent) -> Iterator[Markup]:
    """The confusion matrix, drawn by the scripts, and the largest confusions."""
    evaluation = content.evaluations[0]
    data = confusion_json(evaluation)
    order = (("network", "as in the network"), ("similar", "confused classes together"), ("error", "largest error"))
    options = [tag("option", text, value=value) for value, text in (*order, ("name", "name"), ("images", "images"))]
    shades = [("share", "share of the true class"), ("mistakes", "mistakes only"), ("count", "number of images")]
    buttons = (("out", "−", "Zoom out"), ("in", "+", "Zoom in"), ("fit", "Fit", "Show the whole matrix"))
    tools = tag(
        "div",
        tag("label", "Order ", tag("select", *options, id="order")),
        tag("label", "Shade ", tag("select", *(tag("option", text, value=name) for name, text in shades), id="shade")),
        *(tag("button", text, data_zoom=name, aria_label=label, type="button") for name, text, label in buttons),
        class_="tools",
        role="toolbar",
        aria_label="Confusion matrix",
    )
    number = counted(len(evaluation.class_names), "class")
    name = f"Confusion matrix of {number}: rows are true classes, columns predictions"
    width = f"max-width:{120 + 90 * len(evaluation.class_names)}px"
    canvas = tag("canvas", id="matrix", tabindex="0", role="img", aria_label=name, style=width)
    hint = "Point at a cell. Buttons, Ctrl + wheel or + and − zoom; drag or arrow keys move; 0 shows everything."
    matrix = tag("div", tools, canvas, tag("p", hint, id="cell", aria_live="polite"), class_="matrix")
    rows = confusion_rows(evaluation)
    listed = table(CONFUSION_HEADINGS, rows, CONFUSION_HEADINGS[2:], class_="sortable")
    side = tag("div", tag("h3", "Most frequent confusions"), listed) if rows else tag("p", "There is no mistake.")
    yield tag("div", matrix, side, class_="beside")
    if data["least"] > 1:
        yield tag("p", f"Cells with fewer than {data['least']} images are left out of the matrix.", class_="faint")
    yield embedded_json("confusion-data", data)


def classes(content: ReportContent) -> Iterator[Markup]:
    """The table of the classes."""
    evaluation, many = content.evaluations[0], len(content.data.class_names) > 20
    counts = content.data.parts[0].class_counts
    headings = ["class", "images", "correct", "top-1 error", "95 % interval", "top-5 error", "training images"]
    kept = [True] * 5 + [evaluation.top5_error is not None, counts is not None]
    matrix = evaluation.confusion
    rows = []
    for number, each in enumerate(evaluation.classes):
        wrong = matrix[number].copy()
        wrong[number] = 0
        rate, interval = rate_cells(each.error)
        bar = tag("span", rate, class_="bar", style=f"--share:{100 * (each.error.rate or 0):.0f}%") if rate else ""
        cells = [each.name, f"{each.images:,}", f"{each.correct:,}", bar, interval]
        cells += [rate_cells(each.top5_error)[0], f"{counts[number]:,}" if counts else ""]
        confused = evaluation.class_names[wrong.argmax()] if wrong.any() else ""
        rows.append([*(cell for cell, keep in zip(cells, kept, strict=True) if keep), confused])
    headings = [heading for heading, keep in zip(headings, kept, strict=True) if keep]
    if many:
        find = tag("input", type="search", id="find", placeholder="Find a class", aria_label="Find a class")
        yield tag("p", find, tag("span", id="found", aria_live="polite"), class_="tools")
    whole = table([*headings, "most often confused with"], rows, set(headings) - {"class"}, class_="sortable classes")
    yield tag("div", whole, class_="scroll" if many else None)
    if evaluation.images and len(evaluation.class_names) > 2:
        yield _class_summary(evaluation)


def _class_summary(evaluation: Evaluation) -> Markup:
    rates = [each.error.rate for each in evaluation.classes if each.error.rate is not None]
    middle, worst = float(np.median(rates)), max(rates)
    best = sum(rate == 0 for rate in rates)
    without = f"; {best:,} of {counted(len(rates), 'class')} have none" if best else ""
    return tag(
        "p", f"Over the classes the median error is {percent(middle)} and the largest {percent(worst)}{without}."
    )


def figures_of_targets(content: ReportContent) -> Iterator[Markup]:
    """For each output that gives an image no single class, or one of several outputs, its labels or numbers."""
    evaluations = content.evaluations
    for each in evaluations:
        if each.protocol != evaluations[0].protocol:
            continue
        if each.output:
            yield tag("h3", each.output)
        if each.has_confusion:
            yield table(CONFUSION_HEADINGS, confusion_rows(each), CONFUSION_HEADINGS[2:], class_="sortable")
        headings, rows = class_cells(each)
        yield table(headings, rows, headings[1:], class_="sortable")


def mistakes(content: ReportContent) -> Iterator[Markup]:
    """The most confident mistakes."""
    if not content.mistakes:
        yield tag("p", "There is no mistake.")
        return
    yield tag("p", "The wrong predictions with the highest probability. ", _heat_words(content.mistakes))
    yield tag("div", *map(_card, content.mistakes), class_="cards")


def least_sure(content: ReportContent) -> Iterator[Markup]:
    """The pairs of confused classes."""
    if not content.pairs:
        yield tag("p", "No two classes are taken for each other.")
        return
    yield tag(
        "p",
        "The pairs of classes that are taken for each other most often, each with the images of both classes between "
        "which the network is least sure: the difference of the two probabilities is smallest.",
    )
    for pair in content.pairs:
        yield tag("h3", f"{pair.first} and {pair.second}")
        yield tag(
            "p",
            f"{pair.first} predicted as {pair.second}: {pair.first_as_second:,}; "
            f"{pair.second} predicted as {pair.first}: {pair.second_as_first:,}.",
        )
        if pair.images:
            yield tag("div", *map(_card, pair.images), class_="cards")
        else:
            yield tag("p", "For no image of them these two classes are the most probable ones.", class_="faint")


def _heat_words(images: Sequence[HardImage]) -> Markup:
    if not any(each.heat_maps for each in images):
        return Markup("")
    return tag(
        "span",
        "The colored maps are Grad-CAM (Selvaraju et al. 2017) of the central view: yellow is where the network finds "
        "evidence for the class named below the map, dark violet where it finds none.",
    )


def _card(image: HardImage) -> Markup:
    right = image.predicted == image.truth
    views = []
    if image.photo:
        views.append(tag("figure", picture(image.photo, f"{image.truth}: {image.name}", SHOWN)))
    for heat in image.heat_maps:
        over = (
            picture(heat.photo, f"Grad-CAM of {heat.class_name}", SHOWN)
            if heat.photo
            else tag("p", "no evidence anywhere", class_="none")
        )
        views.append(tag("figure", over, tag("figcaption", heat.class_name)))
    lines = [
        tag("p", tag("b", image.predicted), f" {100 * image.confidence:.1f} %", class_="right" if right else "wrong"),
        tag("p", f"{image.other} {100 * image.other_probability:.1f} %") if image.other != image.predicted else "",
        tag("p", "true class: ", tag("b", image.truth)),
        tag("p", image.name, class_="name"),
    ]
    return tag("article", tag("div", *views, class_="views") if views else "", *lines)


def sections(content: ReportContent) -> Iterator[tuple[str, str, Markup]]:
    """(anchor, title, HTML) of each section about the result."""
    yield "metrics", "Metrics", join(metrics(content))
    yield "curves", "Learning curves", join(curves(content))
    if not content.evaluations:
        return
    if content.evaluations[0].output or not content.evaluations[0].has_confusion:
        yield "classes", "Classes, labels and numbers", join(figures_of_targets(content))
    else:
        yield "confusion", "Confusion matrix", join(confusion(content))
        yield "classes", "Classes", join(classes(content))
        yield "mistakes", "Most confident mistakes", join(mistakes(content))
        yield "least-sure", "Least sure images", join(least_sure(content))
