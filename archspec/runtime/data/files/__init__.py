"""Encoded image files: headers, decoding, cached facts about each file, fingerprints.

May import data, transforms and runtime.system.
"""
