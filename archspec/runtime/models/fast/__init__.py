"""Faster layers at run time: those of Keras with other kernels for the same values. They import nothing of archspec."""
