"""Files, signals, memory, and TensorFlow's import and errors, and other services of the operating system.

Imports nothing of the runtime but modules of this package.
"""
