"""Figures from a graph: summary, receptive field, training memory, roofline, `expect`, and the training plan.

Imports `graph.ir` and `lang`.
"""
