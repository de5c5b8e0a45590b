"""Expressions such as `$width` and `$(4 * width)`: Python syntax, limited to arithmetic on bounded numbers.

Entry point: `evaluate.evaluate`. Imports `diagnostics` only.
"""
