"""Keras models: building them from graphs, model files and their metadata, classifiers, faster layers, metrics.

It may import graph, lang, ops and runtime.system.
"""
