"""Visual explanations of trained networks: what all methods share. runtime.explain.methods contains the methods.

It may import diagnostics, plugins, the graph, runtime.system, runtime.data, runtime.models and runtime, and Keras and
TensorFlow inside functions.
"""

from __future__ import annotations

from archspec.runtime.explain.explain_method import EXPLAIN_METHODS, ExplainMethod

__all__ = ["EXPLAIN_METHODS", "ExplainMethod"]
