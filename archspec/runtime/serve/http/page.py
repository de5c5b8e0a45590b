"""The page of the server, on which one drops an image: one HTML file without outside parts."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path


@cache
def page() -> bytes:
    """The page."""
    return (Path(__file__).parent / "page.html").read_bytes()


def _hashes(tag: str) -> str:
    """Sources of a Content-Security-Policy for the contents of the elements of that name."""
    contents = re.findall(rf"<{tag}>(.*?)</{tag}>".encode(), page(), re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(each).digest()).decode() for each in contents]
    return " ".join(f"'sha256-{each}'" for each in digests)


PAGE_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; script-src {_hashes('script')}; style-src {_hashes('style')}; "
    "img-src blob: data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
"""Only the script and the style of the page itself may run, and only this server may be asked."""
