"""`python -m archspec`, and the console script `archspec`."""

from __future__ import annotations

import gc
import os

from archspec.interrupt import exit_on_interrupt

COLLECT_AFTER = 1_000_000
"""New objects between two garbage collections. A short command keeps nearly all objects that it makes; with Python's
700, the search for garbage takes a twentieth of its time, and a seventh of the import of TensorFlow."""


def main() -> None:
    """Run the command line."""
    gc.set_threshold(COLLECT_AFTER)
    exit_on_interrupt()
    from archspec.cli.main import main

    try:
        main()
    except KeyboardInterrupt:  # while Python exits
        os._exit(130)


if __name__ == "__main__":
    main()
