"""Graphs made from graphs: fully convolutional, deeper, at another input size, in tiles.

Imports `graph.compile`, `graph.analysis` and `graph.decompile`.
"""
