"""What every error must be: one diagnostic, whose message is a fact in lower case."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from archspec.diagnostics import ArchspecError, Diagnostic


def refused(act: Callable[[], object]) -> Diagnostic:
    with pytest.raises(ArchspecError) as caught:
        act()
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message[0].islower() or diagnostic.message[0] in "`0123456789"
    assert not diagnostic.message.endswith(".")
    return diagnostic
