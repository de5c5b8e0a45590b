"""Labs: classroom experiments with a claim, a figure and a verdict, each one YAML file in the folder `labs/`.

`run_lab.run_lab` is the entry point. It may import everything of `archspec.runtime`; `archspec.api` passes in `load`.
"""
