"""The values of options of the API, which the command line offers as choices."""

from __future__ import annotations

from typing import Literal, TypeAlias

SummaryFormat = Literal["text", "json", "markdown", "csv"]
DiffFormat = Literal["text", "json", "markdown"]
PlanFormat = Literal["text", "json"]
EvaluationFormat = Literal["text", "json", "markdown", "csv"]
PredictionFormat = Literal["text", "json", "csv"]
ExportPrecision = Literal["float32", "float16", "bfloat16", "int8"]
DenseOutput: TypeAlias = Literal["scores", "logits", "mean_scores", "softmax_of_mean"]
"""What a fully convolutional network returns: maps of scores or logits, or their average over the image."""
DrawingStyle = Literal["graph", "table", "volumes", "columns", "receptive-field", "cost"]
ComparisonFormat = Literal["text", "markdown", "csv", "json"]
PictureFormat = Literal["svg", "png", "pdf"]
Direction = Literal["down", "right"]
Figure = Literal["params", "macs"]
