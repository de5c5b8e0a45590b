"""What a run writes: checkpoints, run directory, curves, TensorBoard, MLflow, and the progress display.

May import `lang`, `graph`, `runtime.runs`, `runtime.models` and `runtime.system`.
"""
