"""`python -m archspec`, and the console script `archspec`."""

from __future__ import annotations

from archspec.runtime.system.interrupt import exit_on_interrupt


def main() -> None:
    """Run the command line."""
    exit_on_interrupt()
    from archspec.cli.main import main

    main()


if __name__ == "__main__":
    main()
