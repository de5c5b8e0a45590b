"""The page of the server in a browser: an image is dropped, its classes and Grad-CAM appear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archspec.runtime.serve.http.page import PAGE_HEADERS, page
from tests.browser import opened
from tests.runtime.serve.conftest import Exports
from tests.runtime.serve.running import running

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_an_image_gets_its_classes_and_maps(browser: Browser, exports: Exports) -> None:
    """On a phone and in the dark too; nothing is loaded from elsewhere, and the policy allows what the page does."""
    image = exports.folder / "images" / "d.bmp"
    expected = exports.predicted()["d.bmp"]
    with running(exports.saved("keras")) as server:
        address = f"http://127.0.0.1:{server.port}/"
        with opened(browser, address, width=375, dark=True) as (tab, wrong):
            tab.wait_for_function("document.title === 'keras'")
            tab.set_input_files("#file", image)
            tab.wait_for_selector("button:has-text('Grad-CAM')", timeout=60_000)
            rows = tab.locator("#classes li").all_inner_texts()
            names, shares = zip(*(row.split("\n") for row in rows), strict=True)
            assert list(names) == [name for name, _ in expected]
            assert [float(share.rstrip(" %")) for share in shares] == pytest.approx(
                [100 * share for _, share in expected], abs=0.051
            )
            assert tab.locator("button:has-text('Grad-CAM')").count() == 3
            tab.click("button:has-text('Grad-CAM')")
            assert tab.locator("#picture").get_attribute("src").startswith("data:image/png;base64,")  # type: ignore[union-attr]
            assert tab.evaluate("document.documentElement.scrollWidth") <= 375
            own = (f"request: {address}", "request: blob:", "request: data:image/png")
            assert [line for line in wrong if not line.startswith(own)] == []
            tab.set_input_files("#file", exports.folder / "small.yaml")
            tab.wait_for_selector("#error:not([hidden])")
            assert tab.locator("#error").inner_text() == "small.yaml: not an image"


def test_the_policy_names_the_script_and_the_style_of_the_page() -> None:
    policy = PAGE_HEADERS["Content-Security-Policy"]
    assert policy.count("'sha256-") == page().count(b"<script>") + page().count(b"<style>") == 2
    assert "unsafe" not in policy
    assert b"http://" not in page().replace(b"http://www.w3.org", b"")
