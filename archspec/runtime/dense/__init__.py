"""Fully convolutional networks of trained classifiers, and networks made deeper: new graphs, the same weights.

It may import graph, lang, runtime.from_keras, runtime.models, runtime.weights and runtime.system.
"""
