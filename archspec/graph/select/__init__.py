"""Layers and weights of a graph selected by path patterns, for `init`, `freeze`, `rate_multipliers` and `--init-map`.

Imports `graph.ir` and `lang.recipes`.
"""
