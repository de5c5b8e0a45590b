"""Keras models: building them from graphs, model files and their metadata, classifiers, metrics.

It may import graph, lang, ops, runtime.system, and the packages inside it.
"""
