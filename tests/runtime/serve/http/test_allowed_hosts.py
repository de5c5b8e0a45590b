"""The header `Host`: a page of another site must not read answers through a name that leads to this machine."""

from __future__ import annotations

import pytest

from archspec.runtime.serve.http.allowed_hosts import AllowedHosts
from archspec.runtime.serve.request_error import RequestError
from tests.runtime.serve.running import Running


@pytest.mark.parametrize(
    "host",
    [
        *(None, "localhost", "LocalHost:8501", "localhost.", "net.localhost:80", "127.0.0.1:8501", "192.168.1.2"),
        *("[::1]:8501", "[::1]", "lab.example", "LAB.example:8501", "localhost:"),
    ],
)
def test_addresses_localhost_and_chosen_names_are_allowed(host: str | None) -> None:
    AllowedHosts(["Lab.example"]).check(host)


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8501", "localhost.evil.example", "notlocalhost", "127.0.0.1.evil.example", ""),
        *("evil.example@localhost", "localhost@evil.example", "localhost/evil", "[localhost]", "a b", "::1", "\x1b[0m"),
    ],
)
def test_other_names_are_refused(host: str) -> None:
    with pytest.raises(RequestError) as error:
        AllowedHosts(["lab.example"]).check(host)
    assert error.value.status == 403
    assert error.value.message.isprintable()


@pytest.mark.parametrize("path", ["/", "/models", "/predict", "/v1/models/saved", "/nothing"])
def test_a_server_on_loopback_answers_no_foreign_name(served: Running, path: str) -> None:
    found = served.ask("GET", path, Host="evil.example:8501")
    assert (found.status, "`evil.example`" in found.error) == (403, True)
    found = served.raw(f"GET http://evil.example{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), half_closed=True)
    assert found.status == 403


@pytest.mark.parametrize("target", ["http://localhost", "HTTP://127.0.0.1:1/?a=b", "http://localhost/healthz?x=/"])
def test_a_target_may_be_a_whole_address(served: Running, target: str) -> None:
    """RFC 9112, section 3.2.2: its host counts, and the header `Host` is ignored."""
    found = served.raw(f"GET {target} HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode(), half_closed=True)
    assert found.status == 200


@pytest.mark.parametrize("target", ["ftp://localhost/healthz", "file:///healthz", "//localhost/healthz", "localhost"])
def test_a_target_of_another_scheme_is_refused(served: Running, target: str) -> None:
    found = served.raw(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), half_closed=True)
    assert (found.status, "error" in found.json) == (404 if target.startswith("//") else 400, True)
