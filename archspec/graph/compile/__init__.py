"""Spec -> graph: expands blocks, repeats, rows and branches, and infers every shape.

Entry point: `compiler.compile_spec`. Imports `graph.ir` and `lang`.
"""
