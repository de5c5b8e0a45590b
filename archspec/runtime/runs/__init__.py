"""The directory of a training run: its files, and what `run.json` says of the run.

Training writes it, evaluation reads it. May import `lang`, `transforms` and `runtime.system`.
"""
