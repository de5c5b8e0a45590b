"""`python -m archspec`."""

from archspec.cli.main import main

main()
