"""A training run from start to end: `train.train` and `train.resume`; `run.py` has its four steps.

`optimization` holds what changes the weights, `records` what a run writes. May import every runtime package below it,
but not `evaluation`.
"""
