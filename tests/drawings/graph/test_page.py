"""The HTML page of a drawing, in a real browser: its state, keys, search, details, sizes and colors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import archspec
from tests.browser import opened
from tests.drawings.graph.drawn import Drawn, problems, read

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

REFERENCES = ("googlenet", "vit", "lenet:5")
LARGE = ("resnet:152", "nasnet:mobile", "densenet:121")
MARKUP = """() => '<svg xmlns="http://www.w3.org/2000/svg">' + markup(null, 1) + '</svg>'"""
"""All of the drawing, as the scripts render it without a window."""

FRAME = "() => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))"
"""Waits until the page has rendered."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Gives the address of the page of a network."""
    folder = tmp_path_factory.mktemp("pages")

    @cache
    def address(reference: str) -> str:
        return archspec.draw(reference).save(folder / f"{reference.replace(':', '-')}.html").as_uri()

    return address


@pytest.fixture
def resnet(browser: Browser, address: Callable[[str], str]) -> Iterator[Page]:
    with opened(browser, address("resnet:152")) as (page, wrong):
        yield page
        assert wrong == []


def drawn(page: Page) -> Drawn:
    return read(page.evaluate(MARKUP))


def box(page: Page, path: str) -> Any:
    return page.locator(f'#scene g[data-path="{path}"]').first


@pytest.mark.parametrize("reference", [*REFERENCES, *(pytest.param(each, marks=pytest.mark.slow) for each in LARGE)])
def test_the_scripts_draw_what_python_draws(browser: Browser, address: Callable[[str], str], reference: str) -> None:
    network = archspec.load(reference)
    graph = network.graph()
    with opened(browser, address(reference)) as (page, wrong):
        first = drawn(page)
        static = read(archspec.draw(reference).svg())
        assert {(each.kind, each.path) for each in first.items} == {(e.kind, e.path) for e in static.items}
        assert {text for _, text, _ in first.shapes} == {text for _, text, _ in static.shapes}
        assert problems(first, graph, complete=False) == []
        page.evaluate("blocks.forEach((b) => { if (b.kind) { b.state = 2; b.size = null; } })")
        assert problems(drawn(page), graph, complete=True) == []
        page.evaluate("actions.turn()")
        assert problems(drawn(page), graph, complete=True) == []
        page.evaluate("all(0)")
        assert problems(drawn(page), graph, complete=False) == []
        assert wrong == []


def test_a_click_opens_a_block_and_its_title_folds_it(resnet: Page) -> None:
    resnet.evaluate("all(0)")
    stage = box(resnet, "conv4_x")
    assert stage.get_attribute("class") == "folded"
    stage.click()
    assert box(resnet, "conv4_x").get_attribute("class") == "block current"
    assert [item.path for item in drawn(resnet).of("folded")][1:4] == [
        "conv3_x",
        "conv4_x/1/bottleneck",
        "conv4_x/2-36",
    ]
    box(resnet, "conv4_x/2-36").click()
    assert "conv4_x/2/bottleneck/conv_bn/conv" in [item.path for item in drawn(resnet).of("layer")]
    box(resnet, "conv4_x/2-36").locator("text.copies").click()
    units = [item.path for item in drawn(resnet).of("folded") if item.path.startswith("conv4_x/")]
    assert len(units) == 36  # Table 1 of He et al. 2016
    box(resnet, "conv4_x").locator("text.title").first.click()
    assert "conv4_x" in [item.path for item in drawn(resnet).of("folded")]


def test_folding_keeps_the_block_where_it_is(resnet: Page) -> None:
    resnet.evaluate("all(0)")
    before = box(resnet, "conv3_x").bounding_box()
    box(resnet, "conv3_x").click()
    after = box(resnet, "conv3_x").bounding_box()
    assert abs(before["x"] - after["x"]) < 2
    assert abs(before["y"] - after["y"]) < 2


def test_only_what_is_in_the_window_is_rendered(resnet: Page) -> None:
    resnet.evaluate("blocks.forEach((b) => { if (b.kind) { b.state = 2; b.size = null; } }); view.k = 1; draw()")
    rendered = resnet.locator("#scene g[data-b]").count()
    assert 5 < rendered < 150
    assert len(drawn(resnet).of("layer")) == len(archspec.load("resnet:152").graph().nodes)


def test_search_opens_what_it_finds(resnet: Page) -> None:
    assert resnet.evaluate("document.activeElement.tagName") == "BODY"  # as after the page has opened
    resnet.keyboard.press("/")
    resnet.keyboard.type("conv5_x/3 conv_bn_2/conv")
    assert resnet.locator("#results li[data-b]").all_inner_texts() == ["conv5_x/3/bottleneck/conv_bn_2/conv"]
    resnet.keyboard.press("Enter")
    found = box(resnet, "conv5_x/3/bottleneck/conv_bn_2/conv")
    assert "current" in found.get_attribute("class")
    place = found.bounding_box()
    assert 0 < place["x"] < 1200
    assert 0 < place["y"] < 800
    assert "conv(filters=512, kernel_size=3" in resnet.locator("#details").inner_text()
    resnet.locator("#find").fill("no such layer")
    assert resnet.locator("#results").inner_text() == "nothing found"
    resnet.keyboard.press("Escape")
    assert resnet.locator("#results").is_hidden()


def test_details_show_the_figures_of_the_summary(browser: Browser, address: Callable[[str], str]) -> None:
    rows = {row.name: row for row in archspec.summarize("lenet:5").rows}
    with opened(browser, address("lenet:5")) as (page, wrong):
        for path, row in rows.items():
            page.evaluate("(path) => showDetails(blocks.find((b) => b.kind === 0 && b.path === path))", path)
            text = page.locator("#details").inner_text()
            values = page.evaluate("(path) => blocks.find((b) => b.kind === 0 && b.path === path).facts", path)
            assert (values["params"], values["macs"], values["bytes"]) == (row.params, row.macs, row.activation_bytes)
            assert values["shape"] == "×".join(map(str, row.output_shape))
            assert f"line {row.line}" in text.lower()
            if row.receptive_field and any(row.receptive_field.size):
                assert f"{row.receptive_field.size[0]} pixels" in text
        page.locator("#scene g.layer").nth(1).hover()
        assert page.locator("#details").is_visible()
        assert wrong == []


def test_the_keyboard_reaches_everything(resnet: Page) -> None:
    focused = []
    for _ in range(12):
        resnet.keyboard.press("Tab")
        focused.append(resnet.evaluate("document.activeElement.id || document.activeElement.dataset.do"))
    buttons = resnet.locator("#tools button").evaluate_all("(all) => all.map((each) => each.dataset.do)")
    assert focused[: 2 + len(buttons)] == ["find", *buttons, "drawing"]
    resnet.evaluate("all(0)")
    resnet.locator("#drawing").focus()
    for _ in range(5):
        resnet.keyboard.press("ArrowDown")
    assert resnet.evaluate("current.path") == "conv2_x"
    resnet.keyboard.press("Enter")
    resnet.keyboard.press("ArrowRight")
    assert resnet.evaluate("current.path") == "conv2_x/1/bottleneck"
    resnet.keyboard.press("ArrowLeft")
    resnet.keyboard.press("Enter")
    assert box(resnet, "conv2_x").get_attribute("class") == "folded current"
    resnet.keyboard.press("Escape")
    assert resnet.evaluate("current") is None
    assert resnet.locator("#details").is_hidden()


def test_dragging_moves_and_the_wheel_zooms(resnet: Page) -> None:
    before = resnet.evaluate("({...view})")
    resnet.mouse.move(150, 500)
    resnet.mouse.down()
    resnet.mouse.move(190, 400)
    resnet.mouse.up()
    after = resnet.evaluate("({...view})")
    assert (after["x"] - before["x"], after["y"] - before["y"]) == (40, -100)
    resnet.keyboard.down("Control")
    resnet.mouse.wheel(0, -100)
    resnet.keyboard.up("Control")
    resnet.evaluate(FRAME)
    assert resnet.evaluate("view.k") > after["k"]
    bounds = resnet.locator("#map").bounding_box()
    assert bounds is not None
    resnet.mouse.click(bounds["x"] + bounds["width"] / 2, bounds["y"] + bounds["height"] - 4)
    resnet.evaluate(FRAME)
    assert box(resnet, "softmax").count() == 1


def test_narrow_windows_show_everything_without_scrolling(browser: Browser, address: Callable[[str], str]) -> None:
    with opened(browser, address("googlenet"), width=375, height=667) as (page, wrong):
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        for button in page.locator("#tools button").all():
            place = button.bounding_box()
            assert place is not None
            assert place["x"] >= 0
            assert place["x"] + place["width"] <= 375
        page.locator("#scene g.layer").nth(1).click()
        place = page.locator("#details").bounding_box()
        assert place is not None
        assert place["x"] + place["width"] <= 375
        assert wrong == []


def test_text_does_not_overlap_in_the_browser(browser: Browser, address: Callable[[str], str]) -> None:
    """By the boxes that the browser measures, in its own font."""
    script = """() => [...document.querySelectorAll('#scene text')].map((each) => {
      const box = each.getBoundingClientRect();
      return [box.left, box.top + 2, box.right, box.bottom - 2, each.textContent];
    })"""
    with opened(browser, address("nasnet:mobile"), height=1800) as (page, wrong):
        texts = page.evaluate(script)
        assert len(texts) > 30
        overlaps = [
            (one[4], other[4])
            for number, one in enumerate(texts)
            for other in texts[:number]
            if one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
        ]
        assert overlaps == []
        assert wrong == []


def test_dark_mode_follows_the_system_and_the_button(browser: Browser, address: Callable[[str], str]) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, address("lenet:5"), dark=True) as (page, wrong):
        assert page.evaluate(background) == "rgb(13, 17, 23)"
        page.get_by_role("button", name="Theme").click()
        assert page.evaluate(background) == "rgb(255, 255, 255)"
        page.get_by_role("button", name="Theme").click()
        assert page.evaluate(background) == "rgb(13, 17, 23)"
        assert wrong == []


def test_names_in_a_spec_are_text(browser: Browser, tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "name: net\ninput: [8, 8, 3]\nlayers:  # </script><script>document.title = 'x'</script>\n"
        "  - conv: {filters: 4, kernel_size: 3}  # </script><b>\n  - relu\n"
    )
    address = archspec.draw(spec).save(tmp_path / "net.html").as_uri()
    with opened(browser, address) as (page, wrong):
        assert page.title() == "net"
        page.locator("#scene g.layer").nth(1).click()
        assert "# </script><b>" in page.locator("#details").inner_text()
        assert wrong == []


def test_pages_are_small() -> None:
    """Graphviz's SVG of resnet:152 has 360 kB."""
    for reference, limit in (("resnet:152", 400), ("nasnet:large", 900)):
        assert len(archspec.draw(reference).texts[".html"]().encode()) < limit * 1000
