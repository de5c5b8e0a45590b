"""`python -m archspec`, and the console script `archspec`."""

from __future__ import annotations

import os

from archspec.interrupt import exit_on_interrupt


def main() -> None:
    """Run the command line."""
    exit_on_interrupt()
    from archspec.cli.main import main

    try:
        main()
    except KeyboardInterrupt:  # while Python exits
        os._exit(130)


if __name__ == "__main__":
    main()
