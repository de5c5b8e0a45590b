"""Programs that convert a SavedModel to another format, or quantize a file; they import nothing of archspec.

Each runs by path in a process of its own: the foreign packages leak memory, print, and patch NumPy. The request is a
JSON file; the result is one line of JSON on standard output.
"""
