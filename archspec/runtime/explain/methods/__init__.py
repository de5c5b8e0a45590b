"""The explanation methods, one per module; `EXPLAIN_METHODS` imports a module when its name is used.

It may import runtime.explain and what that may import. A module imports Keras and TensorFlow inside functions, so that
the help of `archspec explain` does not load them.
"""
