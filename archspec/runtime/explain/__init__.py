"""Visual explanations of trained networks, one method per module. EXPLAIN_METHODS imports them by name.

It may import diagnostics, plugins, the graph, runtime.system, runtime.data, runtime.models and runtime. A module of a
method imports Keras and TensorFlow inside functions, so that the help of `archspec explain` does not load them.
"""

from __future__ import annotations

from archspec.runtime.explain.explain_method import EXPLAIN_METHODS, ExplainMethod

__all__ = ["EXPLAIN_METHODS", "ExplainMethod"]
