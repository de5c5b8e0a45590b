"""Evaluation of trained networks: which models and images, the protocols run on them, metrics, tables and files.

It may import diagnostics, format, protocols, lang, graph, and runtime below training; never training itself.
"""
