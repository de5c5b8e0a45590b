"""The HTML page of a report in a real browser: no errors, no requests, sorting, zooming, sizes, colors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import archspec
from archspec.runtime.evaluation.predictions import Predictions
from archspec.runtime.evaluation.result import Evaluation
from archspec.runtime.run_report.content import HardImage, HardPair, HeatMap, SampleRow
from archspec.runtime.run_report.hard_images import hard_images
from archspec.runtime.run_report.photos import photo
from archspec.runtime.run_report.run_report import RunReport
from tests.browser import opened
from tests.runtime.run_report.conftest import NAMES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SHOWN = tuple(name.replace("\u202e", "\\u202e") for name in NAMES)
"""The names as the page shows them: characters that turn the direction of text are escaped."""
OVERLAPS = """() => {
  const found = [];
  const texts = [...document.querySelectorAll('h1, h2, h3, p, li, dt, dd, td, th, figcaption, a, label, button')]
    .filter((each) => each.offsetParent && each.textContent.trim() && !each.closest('.canvas, .wide, details'));
  const leaves = texts.filter((each) => !texts.some((other) => other !== each && each.contains(other)));
  const boxes = leaves.map((each) => [each, each.getBoundingClientRect()]);
  boxes.forEach(([a, one], index) => boxes.slice(index + 1, index + 60).forEach(([b, two]) => {
    const wide = Math.min(one.right, two.right) - Math.max(one.left, two.left);
    const high = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
    if (wide > 1 && high > 1) found.push(`${a.textContent} / ${b.textContent}`);
  }));
  return found;
}"""
"""Texts that overlap another."""


@pytest.fixture(scope="module")
def address(report: RunReport, tmp_path_factory: pytest.TempPathFactory) -> str:
    return report.save(tmp_path_factory.mktemp("page") / "report.html").as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as (found, wrong):
        yield found
        assert wrong == []


def column(page: Page, section: str, number: int) -> list[str]:
    return page.locator(f"#{section} tbody tr td:nth-child({number})").all_inner_texts()


def test_names_from_outside_are_text(page: Page) -> None:
    assert sorted(column(page, "classes", 1)) == sorted(SHOWN)
    assert page.locator("img:not([src^='data:image/jpeg'])").count() == 0
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content") or ""
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


def test_a_click_on_a_heading_sorts_the_table(page: Page, report: RunReport) -> None:
    heading = page.locator("#classes th").nth(3).get_by_role("button")
    heading.click()
    shares = [float(text.split()[0]) for text in column(page, "classes", 4)]
    expected = [100 * (each.error.rate or 0) for each in report.evaluations[0].classes]
    assert shares == pytest.approx(sorted(expected, reverse=True), abs=0.01)
    heading.click()
    assert [float(text.split()[0]) for text in column(page, "classes", 4)] == sorted(shares)
    page.locator("#classes th").first.get_by_role("button").click()
    assert column(page, "classes", 1)[-1] in SHOWN
    assert page.locator("#classes th").first.get_attribute("aria-sort") == "ascending"


def test_the_matrix_tells_the_counts_of_its_cells_in_every_order(page: Page, report: RunReport) -> None:
    counts = report.evaluations[0].confusion
    for order in ("network", "similar", "error", "name", "images"):
        page.locator("#order").select_option(order)
        places = page.evaluate("matrix.order")
        assert sorted(places) == list(range(len(NAMES)))
        for row in range(len(NAMES)):
            for one in range(len(NAMES)):
                page.evaluate(f"tellCell({{row: {row}, column: {one}}})")
                count = counts[places[row], places[one]]
                assert f": {count} of {counts[places[row]].sum()} images" in page.locator("#cell").inner_text()
    rates = [counts[place, place] / counts[place].sum() for place in page.evaluate("orders.error()")]
    assert rates == sorted(rates)


def test_the_pointer_and_the_keys_reach_the_matrix(page: Page, report: RunReport) -> None:
    canvas = page.locator("#matrix")
    canvas.scroll_into_view_if_needed()
    size = page.evaluate("geometry()")
    canvas.hover(position={"x": size["margin"] + 1.5 * size["cell"], "y": size["margin"] + 0.5 * size["cell"]})
    told = page.locator("#cell").inner_text()
    true, predicted = report.evaluations[0].class_names[:2]
    assert told.startswith(f"{true}: ")
    assert told.endswith(f"predicted as {predicted}")
    canvas.focus()
    page.keyboard.press("+")
    assert page.evaluate("matrix.zoom") == 1  # six cells are large enough
    red, green, blue, _ = page.evaluate("[...matrix.canvas.getContext('2d').getImageData(2, 60, 1, 1).data]")
    assert (red, green, blue) == (255, 255, 255)


def test_the_curves_tell_the_values_of_an_epoch(page: Page, report: RunReport) -> None:
    chart = page.locator(".curves svg").nth(1)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    chart.hover(position={"x": box["width"] - 16, "y": box["height"] / 2})
    told = page.locator(".curves figcaption").nth(1).inner_text()
    last = report.content.history[-1]
    assert f"epoch {last['epoch']:g}" in told
    values = [float(text.split()[0]) for text in page.locator(".curves figure:nth-child(2) .key b").all_inner_texts()]
    assert values == pytest.approx([100 * last["top1"], 100 * last["val_top1"]], rel=1e-3)


@pytest.mark.parametrize("width", [375, 800, 1300])
def test_the_page_fits_its_window_and_no_text_overlaps(browser: Browser, address: str, width: int) -> None:
    with opened(browser, address, width=width) as (page, wrong):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERLAPS) == []
        assert wrong == []


def test_dark_by_request_by_button_and_never_on_paper(browser: Browser, address: str) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, address, dark=True) as (page, wrong):
        dark = page.evaluate(background)
        assert sum(map(int, dark[4:-1].split(","))) < 100
        page.emulate_media(media="print")
        assert page.evaluate(background) == "rgb(255, 255, 255)"
        page.emulate_media(media="screen")
        page.locator("#theme").click()
        assert page.evaluate(background) == "rgb(255, 255, 255)"
        page.locator("#theme").click()
        assert page.evaluate(background) == dark
        assert wrong == []


def large(report: RunReport, classes: int = 1000, images: int = 10_000) -> RunReport:
    """A report of so many classes, with images that are as hard to compress as any."""
    generator = np.random.default_rng(0)
    labels = np.arange(images, dtype=np.int32) % classes
    logits = generator.normal(0, 1, (images, classes)).astype(np.float32)
    logits[np.arange(images), labels] += 4
    posteriors = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = tuple(f"class {number} of a thousand" for number in range(classes))
    predictions = Predictions(
        posteriors, labels, names, tuple(map(str, range(images))), ("m",), ("center",), ("224",), "data", 1
    )
    noise = photo(generator.integers(0, 256, (224, 224, 3), np.uint8))

    def pictured(image: HardImage) -> HardImage:
        return replace(image, photo=noise, heat_maps=(HeatMap("one", noise), HeatMap("two", noise)))

    hard = hard_images(predictions, None, Path("run"), "data", print)
    pairs: list[HardPair] = [replace(pair, images=tuple(map(pictured, pair.images))) for pair in hard.pairs]
    summary = replace(
        report.content.data,
        class_names=names,
        parts=tuple(replace(part, class_counts=(1300,) * classes) for part in report.content.data.parts),
        samples=tuple(SampleRow(name, (noise,) * 6) for name in names[:5]),
    )
    content = replace(
        report.content,
        evaluations=(Evaluation(predictions),),
        mistakes=tuple(map(pictured, hard.mistakes)),
        pairs=tuple(pairs),
        data=summary,
        drawing=archspec.draw("nasnet:large"),
    )
    return RunReport(content)


@pytest.mark.slow
def test_a_page_of_a_thousand_classes_is_small_and_zooms(browser: Browser, report: RunReport, tmp_path: Path) -> None:
    found = large(report)
    file = found.save(tmp_path / "large.html")
    assert file.stat().st_size < 5_000_000
    counts = found.evaluations[0].confusion
    with opened(browser, file.as_uri(), width=375) as (page, wrong):
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        assert page.evaluate("matrix.cells.length") == np.count_nonzero(counts)
        for _ in range(12):
            page.get_by_role("button", name="Zoom in").click()
        assert page.evaluate("geometry().named")
        page.evaluate("matrix.x = 500; matrix.y = 500; drawMatrix(); tellCell({row: 500, column: 500})")
        assert f"class 500 of a thousand: {counts[500, 500]} of 10 images" in page.locator("#cell").inner_text()
        page.locator("#order").select_option("similar")
        order = page.evaluate("matrix.order")
        assert sorted(order) == list(range(1000))
        links = counts + counts.T
        near = sum(links[one, other] for one, other in pairwise(order))
        assert near > 3 * np.diag(links, 1).sum()  # than in the order of the network
        page.locator("#find").fill("class 7 of")
        assert page.locator("#classes tbody tr:visible").count() == 1
        assert page.locator("#found").inner_text() == "1 of 1000 classes"
        page.get_by_role("button", name="Show the whole matrix").click()
        assert page.evaluate("[matrix.zoom, matrix.x, matrix.y]") == [1, 0, 0]
        assert wrong == []


def test_a_notebook_shows_the_page_in_a_frame(browser: Browser, report: RunReport, tmp_path: Path) -> None:
    (tmp_path / "cell.html").write_text(f"<!doctype html><meta charset=utf-8>{report._repr_html_()}")
    with opened(browser, (tmp_path / "cell.html").as_uri()) as (page, _):
        frame = page.frame_locator("iframe")
        assert frame.locator("h1").inner_text() == report.content.title
        assert frame.locator("#classes tbody tr").count() == len(NAMES)
