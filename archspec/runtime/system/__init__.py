"""Files, signals, memory, and TensorFlow's import and errors: what the runtime needs of the operating system.

Imports nothing of the runtime but modules of this package.
"""
