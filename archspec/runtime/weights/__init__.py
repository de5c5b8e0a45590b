"""Weights of files and of other models: matched layer by layer, checked, then all set at once.

Layers are matched by name in files of archspec, by graph in Keras models, and by order and shape in state dicts. No
code in a file is run. It may import graph, lang, system and models.
"""

from archspec.runtime.weights.load import load_weights
from archspec.runtime.weights.matching import Matching

__all__ = ["Matching", "load_weights"]
