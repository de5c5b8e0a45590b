"""The static graph of a network (shapes, weights, MACs) and everything computed from it, without TensorFlow.

`ir` defines the graph, `compile` makes it from a spec. Imports `lang` and below; `runtime` imports it.
"""
