"""A training run from start to end: `train.train` and `train.resume`; `run.py` has its three steps.

`optimization` contains losses, optimizers and schedules, `records` the files that a run writes. May import every
runtime package below it, but not `evaluation`.
"""
