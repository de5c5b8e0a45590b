"""Everything that needs Keras, TensorFlow or NumPy: data, models, weights, training, evaluation, export.

It may import the language, the graph and the packages below them, and never `archspec.api` or
`archspec.cli`. TensorFlow is imported inside functions.
"""
