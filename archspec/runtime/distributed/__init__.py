"""Devices and workers: the distribution strategy, how workers find each other, collectives, and lost workers.

May import `runtime.system`, and `Share` of `runtime.data`; `training` and `evaluation` build on it.
"""
