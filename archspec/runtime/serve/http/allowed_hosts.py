"""The names by which a server on loopback may be called: protection from DNS rebinding.

A page of another site can give its own name the address 127.0.0.1. A browser then sends the page's requests to this
machine and lets the page read the answers, but with the name of the site in the header `Host`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from archspec.diagnostics import printable
from archspec.runtime.serve.request_error import FORBIDDEN, RequestError

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:/@\[\]]+))(?::[0-9]*)?", re.IGNORECASE)


def host_name(host: str) -> str:
    """The name or the address in a header `Host`, in lower case and without the port; "" for anything else."""
    found = _HOST.fullmatch(host.strip())
    return (found[1] or found[2]).lower().removesuffix(".") if found else ""


class AllowedHosts:
    """Checks the header `Host` of requests.

    Addresses, `localhost` and names that end in `.localhost` are always allowed: no site can have them as its name.

    Args:
        names: further names.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(host_name(name) for name in names)

    def check(self, host: str | None) -> None:
        """Raises RequestError (403) for another name. A request without `Host` does not come from a browser."""
        if host is None:
            return
        name = host_name(host)
        if name and (name in self._names or name == "localhost" or name.endswith(".localhost") or _is_address(name)):
            return
        shown = printable(name or host)[:100]
        raise RequestError(
            FORBIDDEN, f"the server is not called `{shown}`; its operator can allow this name with --allow-host"
        )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
