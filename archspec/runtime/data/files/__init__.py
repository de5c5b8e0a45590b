"""Encoded image files: headers, decoding, what is known of each file (and cached), fingerprints.

May import data, transforms and runtime.system.
"""
