"""Drawings of networks from the static graph alone: SVG, PNG, PDF and HTML, without TensorFlow; one module a style.

Imports `graph`, `format`, `diagnostics`, and `runtime.system` to write files. It is not called `draw`, because
`archspec.draw` is a function, which a package of that name would replace.
"""
